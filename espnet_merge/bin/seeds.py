r"""Show systems that were trained with several seeds: mean and spread of their scores.

A --row names a system and the directories of its scored hypotheses, each .../SET with a
score.json of espnet-merge score; several of one SET are of its seeds. A --mean names a
column and the sets that it averages, those of each metric apart. Scores of sets of
another size are refused, and of models decoded otherwise, but for the silence that each
was trained with.

For example:
  espnet-merge seeds --sets cs_test it_test --mean old=it_test \
    --row "from scratch" exp/seed*/scratch/cs/inference_as_trained/cs_test \
    --row "full" exp/seed*/full/cs/inference_as_trained/{cs,it}_test --output table.md
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

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
    ]
    sets: Annotated[Sequence[str], Option("columns", metavar="SET")]
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
            "the untrained model's, which may be decoded in a mode of its own",
            metavar="SYSTEM",
        ),
    ] = None
    output: Annotated[
        AnyPath | None, Option("Markdown to write, too", metavar="FILE")
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.mean:
            if name in self.sets:
                raise InputError(
                    f"--mean must be NAME=SET,SET with a name that is no set; got "
                    f"{name!r}."
                )

        if self.base is not None and self.base not in self.row:
            raise InputError(
                f"--base must be one of --row, which are {', '.join(self.row)}; got "
                f"{self.base!r}."
            )

    def __call__(self) -> str:
        """Read the scores; return a table in Markdown, and write it if told to."""
        from espnet_merge.disk.atomic import whole_file
        from espnet_merge.report.seeds import markdown, read_scores

        rows = {name: [Path(x) for x in places] for name, places in self.row.items()}
        text = "\n".join(markdown(read_scores(rows, self.base), self.sets, self.mean))
        if self.output:
            with whole_file(Path(self.output)) as part:
                part.write_text(f"{text}\n", encoding="utf-8")
        return text


def main(command: Command) -> None:
    """Print the table."""
    print(command())
