r"""Choose coefficients of a merge on development data.

A --space is a file, or the name of one in conf/search: a method, and ranges of its
parameters. Several are searched together. Each trial is a merge in memory, which is
decoded and scored. The best is written to --output/model, beside search.json with all
trials and search.png.

With --keep there are two goals: the trial at the knee of their Pareto front is taken.

A killed search goes on where it was, and one that is done can be given more --trials.
Each job of an array takes a --shard; the same command without it writes the result.

For example:
  espnet-merge search --space tsv_m --base exp/base \
    --experts exp/full_es/model exp/full_it/model \
    --data dump/raw/es_valid dump/raw/it_valid --output exp/tsv_m_searched
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.bin._developing import Development
from espnet_merge.bin._merging import Result
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, function, part
from espnet_merge.recipe import conf_file
from espnet_merge.search.settings import SearchSettings

if TYPE_CHECKING:
    from espnet_merge.search.found import Found


@dataclass(frozen=True, kw_only=True)
class Command(Development, Result, SearchSettings):
    """Choose coefficients of a merge on development data, and merge with them.

    A search with the same options goes on where an earlier one ended. ``params`` are
    parameters that override those of all spaces.

    Returns:
        What was found: its ``model``, the ``best`` trial, and the ``content`` of
        ``search.json``. None of a shard.

    Raises:
        InputError: inputs do not belong together, a set is of training or test data, an
            option has a bad value, or ``output`` holds another search.

    Example:
        >>> import espnet_merge as em
        >>> space = Path("space.yaml")
        >>> _ = space.write_text(
        ...     "{method: soup, params: {weights: {each: {low: 0.1, high: 1}}}}"
        ... )
        >>> found = em.search(
        ...     space=[space],
        ...     base="exp/base",
        ...     experts=["exp/full_es/model", "exp/full_it/model"],
        ...     data=["dump/raw/es_valid"],
        ...     objective="loss",
        ...     trials=2,
        ...     output="exp/searched",
        ... )
        >>> len(found.content["trials"]), sorted(found.best["values"])
        (2, ['weights[1]', 'weights[2]'])
    """

    space: Annotated[
        Sequence[AnyPath],
        Option(
            "YAML with 'method' and 'params', some of them ranges, or a name in"
            " conf/search",
            metavar="FILE",
            find=partial(conf_file, "search"),
        ),
    ]
    keep: Annotated[
        Sequence[AnyPath],
        Option(
            "development sets of what it must not forget; their mean error rate is a"
            " goal of its own",
            metavar="DATADIR",
        ),
    ] = ()
    output: Annotated[AnyPath, Option("directory to write", metavar="DIR")]
    shard: Annotated[
        str | None,
        Option("make trials as worker I of N, and no result", metavar="I/N"),
    ] = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shard and self.overwrite:
            raise InputError(
                "--shard joins a search, and --overwrite removes it; leave one out."
            )

    def __call__(self) -> "Found | None":
        """Search; write what was found, unless this is a shard."""
        decoding = self.decoding(self.device)
        spaces = {Path(file).stem: Path(file) for file in self.space}
        if len(spaces) < len(self.space):
            raise InputError("--space: two files of one name; rename one.")

        from espnet_merge.disk.cache import default_cache
        from espnet_merge.job_array import parse_shard
        from espnet_merge.search.development import check_development
        from espnet_merge.search.search import Search
        from espnet_merge.search.sets import read_sets
        from espnet_merge.search.space import read_space
        from espnet_merge.whisper.converted import as_directory

        experts = [Path(expert) for expert in self.experts]
        data, kept = (
            [Path(path) for path in paths] for paths in (self.data, self.keep)
        )
        check_development([*data, *kept], experts)
        model = as_directory(Path(self.base), default_cache())
        return Search(
            output=Path(self.output),
            shared=self.inputs(model, self.experts),
            spaces={
                name: read_space(file, len(experts), self.parameters)
                for name, file in spaces.items()
            },
            sets=read_sets(data, kept, model, decoding, self.utterances),
            settings=part(self, SearchSettings),
            jobs=self.jobs,
            device=self.device,
            shard=parse_shard(self.shard) if self.shard else None,
        ).run()


search = function(Command, "search")


def main(command: Command) -> None:
    """Search, and print the best trial."""
    if found := command():
        print(found)
