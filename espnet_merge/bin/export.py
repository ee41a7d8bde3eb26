"""Turn a trained ESPnet experiment into a directory that other tools read.

A full fine-tuning becomes a Hugging Face directory with the tokenizer of its base, a
LoRA expert becomes a PEFT adapter directory.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from espnet_merge.options import AnyPath, Option, Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Turn a trained ESPnet experiment into a directory that other tools can read."""

    exp: Annotated[AnyPath, Option("directory that whisper_train wrote")]
    checkpoint: Annotated[
        str, Option("file in --exp; by default ESPnet's average of the n best")
    ] = "valid.loss.ave.pth"
    output: Annotated[AnyPath, Option("new directory")]
    overwrite: Annotated[bool, Option("replace --output if it exists")] = False

    def __call__(self) -> Path:
        """Write the model, and return its directory."""
        from espnet_merge.tasks.export import export

        output = Path(self.output)
        checkpoint = Path(self.exp) / self.checkpoint
        export(checkpoint, output, overwrite=self.overwrite)
        return output


def main(command: Command) -> None:
    """Export, and print the directory."""
    print(command())
