r"""Import a corpus as data directories, which recipes train and test on.

SOURCE is a table (csv, tsv, jsonl, a NeMo manifest), a Kaldi data directory, Lhotse's
manifests, Parquet as Hugging Face's datasets writes it, or a folder of recordings.
WAV and FLAC stay where they are; other recordings are converted, and embedded ones
written out, in OUTPUT/local. A recording is in one split, in all sets. The table says
what was dropped and why. From test sets nothing is dropped for audio that is broken or
not there.

For example:
  espnet-merge import clips.csv --from csv --audio-column path --text-column sentence \
    --speaker-column client_id --lang es --disjoint speaker sentence
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from espnet_merge.corpora.settings import Import
from espnet_merge.options import AnyPath
from espnet_merge.whisper.source import model_option

if TYPE_CHECKING:
    from espnet_merge.corpora.importing import Imported


@dataclass(frozen=True, kw_only=True)
class Command(Import):
    """Import a corpus as data directories."""

    model: Annotated[
        AnyPath | None,
        model_option("Whisper whose languages are allowed", weights=False),
    ] = None

    def __call__(self) -> "Imported":
        """Import it, if that is not done; return what was kept and dropped."""
        from espnet_merge.corpora.importing import import_corpus
        from espnet_merge.speech import LANGUAGES
        from espnet_merge.whisper.fetched import languages_of

        known = languages_of(Path(self.model)) if self.model else LANGUAGES
        return import_corpus(self, known)


def main(command: Command) -> None:
    """Import, and print the table."""
    print(command())
