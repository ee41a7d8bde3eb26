"""Clips of FLEURS with their texts -> a test set, for --ood.

Fifty clips (CC BY 4.0; German, English, Spanish, French, Portuguese) lie in the
repository sebastian-software/cuttledoc on GitHub. Clone it, then

  python local/clips.py cuttledoc/packages/cuttledoc/fixtures en ood/en_fleurs
  ./run.sh --ood ood/en_fleurs
"""

import argparse
from pathlib import Path

from espnet_merge.data.kaldi import KaldiUtterance, write_kaldi
from espnet_merge.data.sets import clean
from espnet_merge.errors import InputError, one_line_error


def main() -> None:
    """Write the data directory of a language's clips."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="with fleurs-LANGUAGE-*.ogg and .txt")
    parser.add_argument("language")
    parser.add_argument("output", type=Path, help="data directory to write")
    args = parser.parse_args()
    with one_line_error("clips.py", OSError):
        clips = sorted(args.folder.glob(f"fleurs-{args.language}-*.ogg"))
        if not clips:
            raise InputError(
                f"{args.folder}: must hold fleurs-{args.language}-*.ogg; it has none."
            )
        utterances = [
            KaldiUtterance(
                clip.stem,
                str(clip.resolve()),
                clean(clip.with_suffix(".txt").read_text("utf-8")),
                clip.stem,
                args.language,
            )
            for clip in clips
        ]
        write_kaldi(utterances, args.output)


if __name__ == "__main__":
    main()
