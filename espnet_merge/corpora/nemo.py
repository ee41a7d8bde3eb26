"""NeMo's manifests: JSON Lines with columns of their own.

``offset`` and ``duration``, in seconds, are a part of the recording.
"""

from espnet_merge.corpora.formats import Format, columns
from espnet_merge.corpora.jsonl import read

OWN = columns("text", "speaker", "duration", "split", "id", "task", "end")
FORMAT = Format(
    read, OWN | {"audio": "audio_filepath", "language": "lang", "start": "offset"}
)
