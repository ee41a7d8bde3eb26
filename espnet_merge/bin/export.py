"""Turn a trained ESPnet experiment into a directory that other tools read.

A full fine-tuning becomes a Hugging Face directory with the tokenizer of its base, a
LoRA expert becomes a PEFT adapter directory.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--exp", type=Path, required=True, help="directory that whisper_train wrote"
    )
    parser.add_argument(
        "--checkpoint",
        default="valid.loss.ave.pth",
        help="file in --exp; default: %(default)s, ESPnet's average of the n best",
    )
    parser.add_argument("--output", type=Path, required=True, help="new directory")
    parser.add_argument(
        "--overwrite", action="store_true", help="replace --output if it exists"
    )


def main(args: argparse.Namespace) -> None:
    """Write the model and rename it into place."""
    from espnet_merge.tasks.export import export

    export(args.exp / args.checkpoint, args.output, overwrite=args.overwrite)
    print(args.output)
