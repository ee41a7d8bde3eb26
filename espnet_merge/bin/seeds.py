r"""Show systems trained with several seeds, and test their differences.

A --row names a system and the directories of its scored hypotheses, each .../SET with a
score.json; several directories of one SET belong to several seeds. --group asks for
means over the sets of groups (in-domain), over other sets of their languages
(out-of-domain), over both (full) and over the rest (other); a --mean names any other
sets. Means are separate for each metric. Scores are refused if the sizes of a set
differ, or settings of decoding other than the padding of each training.

--baseline and --merges ask for differences: of all systems to the best baseline, of the
merges to the best of them. Their intervals and p-values are over seeds and utterances.
--picture draws the first: who is better, who is worse, who is equal within 2 points.

--save writes a small file for one seed, with the errors in each utterance. --load reads
such files alone, so that seeds can be trained on several days and machines. The files
also say which columns and systems the table has.

For example:
  espnet-merge seeds --sets cs_test it_test --mean old=it_test \
    --row "from scratch" exp/seed*/scratch/cs/inference_as_trained/cs_test \
    --row "full" exp/seed*/full/cs/inference_as_trained/{cs,it}_test --output table.md
  espnet-merge seeds --load results/seed_*.json --picture differences.png
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

from espnet_merge.bin._groups import GROUP
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, Options


def _rows(words: Sequence[Sequence[str]]) -> dict[str, list[Path]]:
    rows: dict[str, list[Path]] = {}
    for name, *places in words:
        if name in rows:
            raise InputError(f"--row must name each system once; {name!r} is twice.")
        rows[name] = [Path(place) for place in places]
    return rows


def _means(words: Sequence[str]) -> dict[str, list[str]]:
    means = {}
    for word in words:
        name, equals, sets = word.partition("=")
        if not equals:
            raise InputError(
                f"--mean must be NAME=SET,SET with a name that is no set; got {word!r}."
            )
        means[name] = sets.split(",")
    return means


def _made_of(words: Sequence[str]) -> dict[str, str]:
    pairs = dict(word.split("=", 1) for word in words if "=" in word)
    if len(pairs) < len(words):
        raise InputError(
            "--made-of must be SYSTEM=TEXT, each system once, as tsv_m=scale_1; got "
            f"{' '.join(words)!r}."
        )
    return pairs


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Show systems that were trained with several seeds."""

    row: Annotated[
        Mapping[str, Sequence[AnyPath]],
        Option(
            "system, and directories of its scores",
            nargs="+",
            action="append",
            metavar=("SYSTEM", "DIR"),
            read=_rows,
        ),
    ] = field(default_factory=dict)
    load: Annotated[
        Sequence[AnyPath],
        Option(
            "files that --save wrote, one for each seed, instead of --row",
            metavar="FILE",
        ),
    ] = ()
    sets: Annotated[
        Sequence[str],
        Option("columns", metavar="SET", default="with --load: those in the files"),
    ] = ()
    group: Annotated[Mapping[str, Sequence[str]], GROUP] = field(default_factory=dict)
    mean: Annotated[
        Mapping[str, Sequence[str]],
        Option(
            "column with the mean over sets",
            action="append",
            metavar="NAME=SET,SET",
            read=_means,
        ),
    ] = field(default_factory=dict)
    base: Annotated[
        str | None,
        Option(
            "system of the untrained model, which is the same for all seeds and may "
            "have its own decoding mode",
            metavar="SYSTEM",
        ),
    ] = None
    baseline: Annotated[
        Sequence[str],
        Option(
            "systems such as joint training; differences to the best are shown",
            metavar="SYSTEM",
        ),
    ] = ()
    merges: Annotated[
        Sequence[str],
        Option(
            "systems whose differences to the best of them are shown", metavar="SYSTEM"
        ),
    ] = ()
    save: Annotated[
        AnyPath | None,
        Option("file to write for one seed, instead of a table", metavar="FILE"),
    ] = None
    configuration: Annotated[
        str,
        Option(
            "description of the training, for --save; --load takes files of one only",
            metavar="TEXT",
        ),
    ] = ""
    made_of: Annotated[
        Mapping[str, str],
        Option(
            "how one system was made, for --save; --load takes no system of two",
            action="append",
            metavar="SYSTEM=TEXT",
            read=_made_of,
        ),
    ] = field(default_factory=dict)
    output: Annotated[
        AnyPath | None, Option("Markdown file to write", metavar="FILE")
    ] = None
    picture: Annotated[
        AnyPath | None,
        Option("PNG file to write: differences to the best baseline", metavar="FILE"),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.row) == bool(self.load):
            raise InputError("seeds takes either --row or --load.")
        if self.row and not self.sets:
            raise InputError("--row needs --sets, the columns.")
        if self.load and self.save:
            raise InputError("--save takes --row; what is loaded is saved already.")
        if self.picture and self.save:
            raise InputError("--picture is of a table, and --save writes none.")

    def __call__(self) -> str:
        """Read the scores; return a table in Markdown, or what was saved."""
        from espnet_merge.disk.atomic import whole_file
        from espnet_merge.report.plan import averages
        from espnet_merge.report.runs import read_runs
        from espnet_merge.report.seed_differences import SeedComparison
        from espnet_merge.report.seed_files import load, save
        from espnet_merge.report.seed_plan import SeedPlan
        from espnet_merge.report.seeds import markdown

        means = averages(self.sets, self.group) if self.group else {}
        means = {name: own for name, own in means.items() if len(own) > 1}
        asked = {
            "sets": self.sets,
            "means": means | {**self.mean},
            "base": self.base,
            "baseline": self.baseline,
            "merges": self.merges,
        }
        given: dict[str, Any] = {name: value for name, value in asked.items() if value}
        if self.load:
            kept = load([Path(path) for path in self.load])
            plan = SeedPlan.joined([replace(plan, **given) for plan in kept.plans])
            seeds, facts = SeedComparison(kept.runs, plan), kept.facts
        else:
            plan = SeedPlan(**given)
            rows = {name: [Path(x) for x in own] for name, own in self.row.items()}
            runs = read_runs(rows)
            if self.save:
                path = Path(self.save)
                return save(path, runs, plan, self.configuration, self.made_of)
            seeds, facts = SeedComparison(runs, plan), {}
        if self.picture and not seeds.to_baseline:
            raise InputError("--picture shows differences to a --baseline; name one.")
        text = "\n".join(markdown(seeds, facts))
        if self.output:
            with whole_file(Path(self.output)) as part:
                part.write_text(f"{text}\n", encoding="utf-8")
        if self.picture:
            from espnet_merge.report.pictures import DPI
            from espnet_merge.report.seed_picture import draw_differences

            with whole_file(Path(self.picture)) as part:
                draw_differences(seeds.to_baseline).savefig(part, dpi=DPI, format="png")
        return text


def main(command: Command) -> None:
    """Print the table, or what was saved."""
    print(command())
