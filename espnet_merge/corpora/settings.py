"""What is imported, and what of it goes where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

from espnet_merge.corpora.formats import Name
from espnet_merge.options import AnyPath, Option, Options
from espnet_merge.speech import Task
from espnet_merge.workers import cores

# Ends with the name of a field of a row.
COLUMN = "_column"


@dataclass(frozen=True, kw_only=True)
class Columns(Options):
    """Which column of the corpus holds what."""

    audio_column: Annotated[
        str | None,
        Option("path of the recording", default="audio; nemo: audio_filepath"),
    ] = None
    text_column: Annotated[str | None, Option("what is said", default="text")] = None
    speaker_column: Annotated[
        str | None,
        Option("who speaks; of a folder also 'folder'", default="speaker"),
    ] = None
    id_column: Annotated[
        str | None, Option("name of the utterance", default="id, else that of its file")
    ] = None
    language_column: Annotated[
        str | None, Option("the language", default="language; nemo: lang")
    ] = None
    split_column: Annotated[
        str | None, Option("train, valid or test, for --split own", default="split")
    ] = None
    start_column: Annotated[
        str | None,
        Option(
            "begin of the utterance in its recording", default="start; nemo: offset"
        ),
    ] = None
    end_column: Annotated[str | None, Option("its end", default="end")] = None
    duration_column: Annotated[
        str | None, Option("its length, in place of the end", default="duration")
    ] = None

    @property
    def named(self) -> Mapping[str, str]:
        """The columns that the user names, by field."""
        return {
            name.removesuffix(COLUMN): value
            for name, value in vars(self).items()
            if name.endswith(COLUMN) and value is not None
        }


@dataclass(frozen=True, kw_only=True)
class Import(Columns):
    """What is imported, and what of it goes where."""

    source: Annotated[
        Sequence[AnyPath],
        Option("files or directories of the corpus", positional=True, metavar="SOURCE"),
    ]
    format: Annotated[Name, Option("format of the corpus", flag="--from")]
    lang: Annotated[
        str | None,
        Option(
            "language that is spoken, by Whisper's code or its name",
            default="what the corpus says, utterance by utterance",
        ),
    ] = None
    task: Annotated[
        Task | None,
        Option(
            "translate if the texts are English translations",
            default="what the corpus says, else transcribe",
        ),
    ] = None
    domain: Annotated[
        str | None,
        Option("sets are called LANG_DOMAIN_train and so on, not LANG_train"),
    ] = None
    split: Annotated[
        Sequence[str],
        Option(
            "shares of the splits; or one of train, valid and test for all; or 'own' "
            "for those of the corpus, by a column or by the names of files",
            metavar="SPLIT[=SHARE]",
        ),
    ] = ("train=0.8", "valid=0.1", "test=0.1")
    disjoint: Annotated[
        Sequence[Literal["speaker", "sentence"]],
        Option("what else than recordings no two splits may share; needs shares"),
    ] = ()
    audio_root: Annotated[
        AnyPath | None,
        Option(
            "directory that relative paths of recordings begin at",
            default="that of the table; of kaldi, lhotse and folder the current one",
        ),
    ] = None
    output: Annotated[AnyPath, Option("directory to write the sets into")] = "data"
    jobs: Annotated[
        int, Option("number of threads", default="one per core, at most 8", least=1)
    ] = field(default_factory=cores)
    overwrite: Annotated[
        bool,
        Option("replace sets that are there, and all of the import that made them"),
    ] = False
