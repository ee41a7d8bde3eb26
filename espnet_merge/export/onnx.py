"""ONNX, in the layout of optimum's ``ORTModelForSpeechSeq2Seq``.

Three graphs: the encoder; the decoder at the first tokens, which makes keys and values
of what the encoder heard; the decoder at each further token, which takes those and its
own of before. Names of files, inputs and outputs are optimum's.
"""

import shutil
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers.cache_utils import DynamicCache, EncoderDecoderCache

from espnet_merge.checkpoint.hf import read_json
from espnet_merge.checkpoint.side_files import side_files
from espnet_merge.decode.utterances import Utterance, read_audio
from espnet_merge.export.format import (
    MAX_NEW_TOKENS,
    Format,
    Runtime,
    Source,
    Transcriber,
)
from espnet_merge.files import GENERATION_JSON
from espnet_merge.whisper.features import log_mel
from espnet_merge.whisper.model import (
    Encoded,
    decode,
    encode,
    load_whisper,
    logits,
    new_cache,
)
from espnet_merge.whisper.prompt import load_tokenizer, prompt_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import WhisperForConditionalGeneration

ENCODER = "encoder_model.onnx"
DECODER = "decoder_model.onnx"
WITH_PAST = "decoder_with_past_model.onnx"
SIDES = ("decoder", "encoder")
OPSET = 20


class Encoder(nn.Module):
    """From mel frames (batch, channels, frames) to states."""

    def __init__(self, whisper: "WhisperForConditionalGeneration") -> None:
        super().__init__()
        self.encoder = whisper.model.encoder

    def forward(self, input_features: Tensor) -> Tensor:
        """Encode."""
        return encode(self.encoder, input_features.transpose(1, 2)).states


class FirstTokens(nn.Module):
    """From the first tokens and the encoder's states to logits, keys and values."""

    def __init__(self, whisper: "WhisperForConditionalGeneration") -> None:
        super().__init__()
        self.decoder = whisper.model.decoder

    def forward(self, input_ids: Tensor, encoder_hidden_states: Tensor) -> list[Tensor]:
        """Decode; of each layer: own keys and values, then those of what was heard."""
        cache, encoded = new_cache(), Encoded(encoder_hidden_states, None)
        states = decode(self.decoder, input_ids, encoded, cache)
        return [logits(self.decoder, states), *_flat(cache, SIDES)]


class NextToken(nn.Module):
    """From a token, and keys and values of all before, to logits and its own."""

    def __init__(self, whisper: "WhisperForConditionalGeneration") -> None:
        super().__init__()
        self.decoder = whisper.model.decoder

    def forward(self, input_ids: Tensor, past: list[Tensor]) -> list[Tensor]:
        """Decode; the states of the encoder are in ``past``, so that none are read."""
        own, heard = DynamicCache(), DynamicCache()
        for layer in range(len(past) // 4):
            keys, values, heard_keys, heard_values = past[4 * layer : 4 * layer + 4]
            own.update(keys, values, layer)
            heard.update(heard_keys, heard_values, layer)
        cache = EncoderDecoderCache(own, heard)
        width = self.decoder.config.d_model
        nothing = past[0].new_zeros(past[0].shape[0], 0, width)
        states = decode(self.decoder, input_ids, Encoded(nothing, None), cache)
        return [logits(self.decoder, states), *_flat(cache, SIDES[:1])]


def _flat(cache: EncoderDecoderCache, sides: Sequence[str]) -> Iterator[Tensor]:
    own, heard = cache.self_attention_cache, cache.cross_attention_cache
    for pair in zip(own.layers, heard.layers, strict=True):
        for layer in pair[: len(sides)]:
            yield from (layer.keys, layer.values)


def _names(prefix: str, layers: int, sides: Sequence[str]) -> list[str]:
    """Return optimum's names of keys and values, in the order of ``_flat``.

    >>> _names("present", 1, ["decoder"])
    ['present.0.decoder.key', 'present.0.decoder.value']
    """
    return [
        f"{prefix}.{layer}.{side}.{part}"
        for layer in range(layers)
        for side in sides
        for part in ("key", "value")
    ]


def write(source: Source, directory: Path, dtype: str | None) -> None:
    """Write the three graphs, and copy all that stands beside the weights."""
    whisper = load_whisper(source.model)
    for name, graph in _graphs(whisper).items():
        _export(directory / name, *graph)
        if dtype == "int8":
            _quantise(directory / name)
    for file in side_files(source.model):
        shutil.copyfile(file, directory / file.name)


type Graph = tuple[nn.Module, tuple[Any, ...], tuple[Any, ...], list[str], list[str]]


def _graphs(whisper: "WhisperForConditionalGeneration") -> dict[str, Graph]:
    """Return each network with an example, what may vary in it, and its names."""
    config = whisper.config
    layers, width = config.decoder_layers, config.d_model
    heads = config.decoder_attention_heads
    positions = config.max_source_positions
    most = config.max_target_positions
    batch, length = torch.export.Dim("batch"), torch.export.Dim("length", max=most)
    past = torch.export.Dim("past", min=2, max=most - 1)
    features = torch.zeros(2, config.num_mel_bins, 2 * positions)
    states = torch.zeros(2, positions, width)
    ids = torch.zeros(2, 4, dtype=torch.long)
    own = torch.zeros(2, heads, 5, width // heads)
    heard = torch.zeros(2, heads, positions, width // heads)
    # Each a tensor of its own: one that is given twice would be taken for one input.
    taken = [x.clone() for x in (own, own, heard, heard) * layers]
    varies = [{0: batch, 2: past}, {0: batch, 2: past}, {0: batch}, {0: batch}] * layers
    first, present = (_names("present", layers, x) for x in (SIDES, SIDES[:1]))
    before = _names("past_key_values", layers, SIDES)
    return {
        ENCODER: (
            *(Encoder(whisper), (features,), ({0: batch},)),
            *(["input_features"], ["last_hidden_state"]),
        ),
        DECODER: (
            *(FirstTokens(whisper), (ids, states)),
            ({0: batch, 1: length}, {0: batch}),
            *(["input_ids", "encoder_hidden_states"], ["logits", *first]),
        ),
        WITH_PAST: (
            *(NextToken(whisper), (ids[:, :1], taken), ({0: batch}, varies)),
            *(["input_ids", *before], ["logits", *present]),
        ),
    }


def _export(
    path: Path,
    network: nn.Module,
    example: tuple[Any, ...],
    varies: tuple[Any, ...],
    inputs: list[str],
    outputs: list[str],
) -> None:
    with warnings.catch_warnings():
        # Of axes that are called alike, and of operators of packages not installed.
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            network.eval(),
            example,
            dynamo=True,
            dynamic_shapes=varies,
            input_names=inputs,
            output_names=outputs,
            opset_version=OPSET,
            verbose=False,
        )
    assert program is not None
    program.save(path)


def _quantise(path: Path) -> None:
    """Store the weights of products as int8; activations are quantised on the way."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        path, path, weight_type=QuantType.QInt8, op_types_to_quantize=["MatMul", "Gemm"]
    )


def load(directory: Path, source: Source) -> Transcriber:
    """Return greedy decoding of the exported graphs by onnxruntime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    encoder, first, following = (
        onnxruntime.InferenceSession(
            directory / name, options, providers=["CPUExecutionProvider"]
        )
        for name in (ENCODER, DECODER, WITH_PAST)
    )
    tokenizer = load_tokenizer(directory)
    generation = read_json(directory / GENERATION_JSON)
    mels = encoder.get_inputs()[0].shape[1]

    def transcribe(utterance: Utterance) -> str:
        features = log_mel(read_audio(utterance), n_mels=mels).T[None]
        (states,) = encoder.run(None, {"input_features": features})
        prompt = prompt_ids(tokenizer, utterance.language, utterance.task)
        ids = _search(first, following, states, prompt, generation)
        text: str = tokenizer.decode(ids, skip_special_tokens=True)
        return text

    return transcribe


def _search(
    first: Any,  # noqa: ANN401
    following: Any,  # noqa: ANN401
    states: "NDArray[Any]",
    prompt: Sequence[int],
    generation: dict[str, Any],
) -> list[int]:
    """Return the tokens of the greedy search, as ``generate`` suppresses them."""
    import numpy as np

    end = generation["eos_token_id"]
    text: list[int] = []
    never = generation.get("suppress_tokens") or []
    barred = [*never, *(generation.get("begin_suppress_tokens") or [])]
    names = [one.name for one in following.get_inputs()[1:]]
    kept = [
        one.name.replace("present", "past_key_values") for one in first.get_outputs()
    ]
    scores, *rest = first.run(
        None, {"input_ids": np.array([prompt]), "encoder_hidden_states": states}
    )
    past = dict(zip(kept[1:], rest, strict=True))
    renewed = [
        one.name.replace("present", "past_key_values")
        for one in following.get_outputs()
    ][1:]
    while len(text) < MAX_NEW_TOKENS:
        scores[0, -1, barred] = -np.inf
        token = int(scores[0, -1].argmax())
        if token == end:
            break
        text.append(token)
        barred = never
        inputs = {
            "input_ids": np.array([[token]]),
            **{name: past[name] for name in names},
        }
        scores, *rest = following.run(None, inputs)
        past |= zip(renewed, rest, strict=True)
    return text


FORMAT = Format(
    dtypes=("float32", "int8"),
    runtime=Runtime("onnxruntime", "onnxruntime", "onnx"),
    write=write,
    load=load,
    writer=Runtime("onnxscript", "onnxscript", "onnx"),
)
