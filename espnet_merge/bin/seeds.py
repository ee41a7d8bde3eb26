r"""Show systems that were trained with several seeds, and test their differences.

A --row names a system and the directories of its scored hypotheses, each .../SET with a
score.json of espnet-merge score; several of one SET are of its seeds. A --mean names a
column and the sets that it averages, those of each metric apart. Scores of sets of
another size are refused, and of models decoded otherwise, but for the silence that each
was trained with.

--baseline and --merges ask for differences: of all systems to the best baseline, of the
merges to the best of them. Their intervals and p-values are over seeds and utterances.

--save keeps one seed in a small file, with the errors of each utterance. --load makes
the table of such files alone, so seeds may be trained on other days and machines; what
the table shows is in the files, too.

For example:
  espnet-merge seeds --sets cs_test it_test --mean old=it_test \
    --row "from scratch" exp/seed*/scratch/cs/inference_as_trained/cs_test \
    --row "full" exp/seed*/full/cs/inference_as_trained/{cs,it}_test --output table.md
  espnet-merge seeds --load results/seed_*.json
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any

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


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Show systems that were trained with several seeds."""

    row: Annotated[
        Mapping[str, Sequence[AnyPath]],
        Option(
            "a system, and where its scores are",
            nargs="+",
            action="append",
            metavar=("SYSTEM", "DIR"),
            read=_rows,
        ),
    ] = field(default_factory=dict)
    load: Annotated[
        Sequence[AnyPath],
        Option("in place of --row: what --save wrote, a file a seed", metavar="FILE"),
    ] = ()
    sets: Annotated[
        Sequence[str],
        Option("columns", metavar="SET", default="with --load those of the files"),
    ] = ()
    mean: Annotated[
        Mapping[str, Sequence[str]],
        Option(
            "a column with the mean over sets",
            action="append",
            metavar="NAME=SET,SET",
            read=_means,
        ),
    ] = field(default_factory=dict)
    base: Annotated[
        str | None,
        Option(
            "the untrained model's, which no seed changes and which may be decoded in "
            "a mode of its own",
            metavar="SYSTEM",
        ),
    ] = None
    baseline: Annotated[
        Sequence[str],
        Option(
            "show differences to the best of these, such as joint training",
            metavar="SYSTEM",
        ),
    ] = ()
    merges: Annotated[
        Sequence[str],
        Option("show differences of these to the best of them", metavar="SYSTEM"),
    ] = ()
    save: Annotated[
        AnyPath | None,
        Option("keep these scores of one seed, in place of a table", metavar="FILE"),
    ] = None
    configuration: Annotated[
        str,
        Option(
            "how the systems were made, for --save; files of another are not joined",
            metavar="TEXT",
        ),
    ] = ""
    output: Annotated[
        AnyPath | None, Option("Markdown to write, too", metavar="FILE")
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.row) == bool(self.load):
            raise InputError("seeds takes either --row or --load.")
        if self.row and not self.sets:
            raise InputError("--row needs --sets, the columns.")
        if self.load and self.save:
            raise InputError("--save takes --row; what is loaded is saved already.")

    def __call__(self) -> str:
        """Read the scores; return a table in Markdown, or what was saved."""
        from espnet_merge.disk.atomic import whole_file
        from espnet_merge.report.kept import keep, read_kept
        from espnet_merge.report.runs import read_runs
        from espnet_merge.report.seed_plan import SeedPlan
        from espnet_merge.report.seeds import markdown

        asked = {
            "sets": self.sets,
            "means": self.mean,
            "base": self.base,
            "baseline": self.baseline,
            "merges": self.merges,
        }
        given: dict[str, Any] = {name: value for name, value in asked.items() if value}
        if self.load:
            kept = read_kept([Path(path) for path in self.load])
            plan = SeedPlan.joined([replace(plan, **given) for plan in kept.plans])
            lines = markdown(kept.runs, plan, kept.facts)
        else:
            plan = SeedPlan(**given)
            rows = {name: [Path(x) for x in own] for name, own in self.row.items()}
            runs = read_runs(rows)
            if self.save:
                return keep(Path(self.save), runs, plan, self.configuration)
            lines = markdown(runs, plan)
        text = "\n".join(lines)
        if self.output:
            with whole_file(Path(self.output)) as part:
                part.write_text(f"{text}\n", encoding="utf-8")
        return text


def main(command: Command) -> None:
    """Print the table, or what was saved."""
    print(command())
