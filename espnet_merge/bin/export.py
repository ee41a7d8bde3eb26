r"""Write a model in the format of another runtime, and decode it there.

INPUT is whatever is read elsewhere: a Hugging Face, CTranslate2 or PEFT directory,
OpenAI's .pt, ESPnet's .pth. --to says what for:

  hf           transformers, and all that loads by it
  openai       openai-whisper: model.pt
  ctranslate2  faster-whisper
  ggml         whisper.cpp: ggml-model.bin
  onnx         onnxruntime, in optimum's layout
  peft         peft, vLLM: an adapter alone
  bundle       one model with many adapters, and the command that serves it by vLLM

An adapter is folded into its base for all but the last two. --check DATADIR decodes ten
utterances of a data directory in the runtime and here, and prints where texts differ.

--exp names a training in place of INPUT: a full fine-tuning becomes a Hugging Face
directory with the tokenizer of its base, a LoRA expert a PEFT adapter directory, unless
--to says otherwise.

For example:
  espnet-merge export exp/tsv_m/model --to ctranslate2 --dtype int8 \
    --output exp/tsv_m/int8 --check dump/raw/es_test
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from espnet_merge.decode.settings import pairs
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath, Option, Options, function
from espnet_merge.whisper.source import model_option

if TYPE_CHECKING:
    from espnet_merge.export.export import Exported


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Write a model in the format of another runtime, and decode it there.

    Returns:
        The ``directory``; the ``command`` that serves a bundle; and, with ``check``,
        ``checked``: the texts of ten utterances, ours and those of the runtime.

    Raises:
        InputError: the model is bad, or cannot be written in this format; a package is
            missing; or ``output`` exists.

    Example:
        >>> import espnet_merge as em
        >>> exported = em.export(
        ...     source="exp/base", to="hf", dtype="float16", output="exp/half",
        ...     check="dump/raw/es_test",
        ... )
        >>> exported.directory
        PosixPath('exp/half')
        >>> len(exported.checked.pairs)
        2
    """

    source: Annotated[
        AnyPath | None,
        model_option(
            "model or adapter",
            positional=True,
            metavar="INPUT",
            nargs="?",
        ),
    ] = None
    to: Annotated[
        Literal["hf", "openai", "ctranslate2", "ggml", "onnx", "peft", "bundle"] | None,
        Option("format", default="hf of a model, peft of an adapter"),
    ] = None
    dtype: Annotated[
        Literal["float32", "float16", "bfloat16", "int8", "int8_float16"] | None,
        Option(
            "type of the weights",
            default="float16 of ggml, float32 of ctranslate2 and onnx, else as it is",
        ),
    ] = None
    base: Annotated[
        AnyPath | None,
        model_option(
            "model that INPUT was trained from, an adapter or ESPnet's own Whisper",
            default="the directory that the adapter names",
        ),
    ] = None
    adapters: Annotated[
        Mapping[str, AnyPath] | None,
        model_option(
            "adapters of a bundle, by the language that each decodes",
            metavar="NAME=DIR",
            nargs="+",
            read=pairs,
        ),
    ] = None
    exp: Annotated[
        AnyPath | None,
        Option("directory that whisper_train wrote, in place of INPUT"),
    ] = None
    checkpoint: Annotated[
        str, Option("file in --exp; by default ESPnet's average of the n best")
    ] = "valid.loss.ave.pth"
    output: Annotated[AnyPath, Option("new directory")]
    check: Annotated[
        AnyPath | None,
        Option(
            "Kaldi data directory, of which ten utterances are decoded by the runtime "
            "and here",
            metavar="DATADIR",
        ),
    ] = None
    overwrite: Annotated[bool, Option("replace --output if it exists")] = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.source is None) == (self.exp is None):
            raise InputError(
                "give a model as INPUT, or a training as --exp: one of both."
            )
        if self.adapters and self.to != "bundle":
            raise InputError(f"--adapters needs --to bundle; got --to {self.to}.")

    def __call__(self) -> "Exported":
        """Write the model, and return where it is."""
        from espnet_merge.export.export import Exported, export_to

        output = Path(self.output)
        if self.source is None:
            path = Path(str(self.exp)) / self.checkpoint
            if {self.to, self.dtype, self.check} == {None}:
                from espnet_merge.tasks.export import export as export_training

                export_training(path, output, overwrite=self.overwrite)
                return Exported(output)
        else:
            path = Path(self.source)
        return export_to(
            self.to,
            path,
            output,
            dtype=self.dtype,
            base=Path(self.base) if self.base else None,
            adapters={n: Path(one) for n, one in (self.adapters or {}).items()},
            data=Path(self.check) if self.check else None,
            overwrite=self.overwrite,
        )


export = function(Command, "export")


def main(command: Command) -> None:
    """Export, and print the directory and what was checked."""
    print(command())
