r"""Show systems trained with several seeds: mean and standard deviation of scores.

A --row names a system and the directories of its scored hypotheses, each .../SET with a
score.json; several directories of one SET belong to several seeds. A --mean names a
column and the sets to average, separately for each metric. Scores are refused if the
sizes of a set differ, or settings of decoding other than the padding of each training.

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
            "system, and directories of its scores",
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
            "column with the mean over sets",
            action="append",
            metavar="NAME=SET,SET",
            read=_means,
        ),
    ] = field(default_factory=dict)
    base: Annotated[
        str | None,
        Option(
            "system of the untrained model, which may have its own decoding mode",
            metavar="SYSTEM",
        ),
    ] = None
    output: Annotated[
        AnyPath | None, Option("Markdown file to write", metavar="FILE")
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
        """Return the table in Markdown, and write it if there is an ``output``."""
        from espnet_merge.disk.atomic import whole_file
        from espnet_merge.report.seeds import markdown, read_scores

        rows = {name: list(map(Path, places)) for name, places in self.row.items()}
        text = "\n".join(markdown(read_scores(rows, self.base), self.sets, self.mean))
        if self.output:
            with whole_file(Path(self.output)) as part:
                part.write_text(f"{text}\n", encoding="utf-8")
        return text


def main(command: Command) -> None:
    """Print the table."""
    print(command())
