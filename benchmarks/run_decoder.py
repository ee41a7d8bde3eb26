#!/usr/bin/env python3
"""Decode utterances with one decoder; print CPU seconds and texts as JSON.

run_decoder.py DECODER MODEL WAVS LANGUAGE BEAM BATCH_SIZE

WAVS is a file with a path a line. Loading and the first utterance, which warms up, are
not in the time; reading audio and making features are.
"""

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import soundfile

MAX_NEW_TOKENS = 224
Decoder = Callable[[Sequence[str]], list[str]]


def main(decoder: str, model: str, wavs: str, language: str, *sizes: str) -> None:
    beam, batch_size = map(int, sizes)
    paths = Path(wavs).read_text().splitlines()
    decode = DECODERS[decoder](model, language, beam)
    decode(paths[-1:])
    start = time.process_time()
    texts = list(_decode_all(decode, paths, batch_size))
    spent = time.process_time() - start
    print(json.dumps({"cpu": spent, "texts": texts}))


def _decode_all(decode: Decoder, paths: Sequence[str], size: int) -> Iterator[str]:
    for batch in itertools.batched(paths, size):
        yield from (" ".join(text.split()) for text in decode(batch))


def ours(backend: str, dtype: str) -> Callable[[str, str, int], Decoder]:
    def load(model: str, language: str, beam: int) -> Decoder:
        from espnet_merge.decode.recognize import Recognizer
        from espnet_merge.decode.record import one_line
        from espnet_merge.decode.settings import Settings
        from espnet_merge.decode.transcribe import load_backend
        from espnet_merge.decode.utterances import Utterance

        settings = Settings(
            beam=beam, max_new_tokens=MAX_NEW_TOKENS, backend=backend, dtype=dtype
        )
        recognizer = Recognizer(load_backend(Path(model), None, settings))

        def decode(paths: Sequence[str]) -> list[str]:
            batch = [
                Utterance(
                    path,
                    Path(path),
                    soundfile.info(path).frames,
                    language,
                    "transcribe",
                )
                for path in paths
            ]
            return [
                one_line(recognizer.tokenizer, said.hypothesis.tokens)
                for said in recognizer(batch)
            ]

        return decode

    return load


def transformers(model: str, language: str, beam: int) -> Decoder:
    import torch
    from transformers import WhisperForConditionalGeneration, WhisperProcessor

    processor = WhisperProcessor.from_pretrained(model)
    whisper = WhisperForConditionalGeneration.from_pretrained(model).eval()

    def decode(paths: Sequence[str]) -> list[str]:
        features = processor(
            list(map(_read, paths)), sampling_rate=16_000, return_tensors="pt"
        )
        with torch.inference_mode():
            ids = whisper.generate(
                **features,
                num_beams=beam,
                language=language,
                task="transcribe",
                max_new_tokens=MAX_NEW_TOKENS,
                do_sample=False,
            )
        return processor.batch_decode(ids, skip_special_tokens=True)

    return decode


def openai_whisper(model: str, language: str, beam: int) -> Decoder:
    import torch
    import whisper

    network = whisper.load_model(model, device="cpu")
    options = whisper.DecodingOptions(
        language=language,
        beam_size=beam if beam > 1 else None,
        without_timestamps=True,
        fp16=False,
    )

    def decode(paths: Sequence[str]) -> list[str]:
        # Its beam search takes one utterance at a time.
        mels = [
            whisper.log_mel_spectrogram(whisper.pad_or_trim(_read(path)))
            for path in paths
        ]
        with torch.inference_mode():
            return [whisper.decode(network, mel, options).text for mel in mels]

    return decode


def ctranslate2(compute_type: str) -> Callable[[str, str, int], Decoder]:
    def load(model: str, language: str, beam: int) -> Decoder:
        import ctranslate2
        from transformers import WhisperFeatureExtractor, WhisperTokenizer

        tokenizer = WhisperTokenizer.from_pretrained(model)
        extractor = WhisperFeatureExtractor.from_pretrained(model)
        network = ctranslate2.models.Whisper(
            f"{model}/{compute_type}", compute_type=compute_type, intra_threads=1
        )
        prompt = tokenizer.convert_tokens_to_ids(
            [
                "<|startoftranscript|>",
                f"<|{language}|>",
                "<|transcribe|>",
                "<|notimestamps|>",
            ]
        )

        def decode(paths: Sequence[str]) -> list[str]:
            features = extractor(
                list(map(_read, paths)), sampling_rate=16_000, return_tensors="np"
            )["input_features"]
            found = network.generate(
                ctranslate2.StorageView.from_array(features),
                [prompt] * len(paths),
                beam_size=beam,
                max_length=2 * MAX_NEW_TOKENS,
            )
            ids = [result.sequences_ids[0] for result in found]
            return tokenizer.batch_decode(ids, skip_special_tokens=True)

        return decode

    return load


def _read(path: str):
    return soundfile.read(path, dtype="float32")[0]


DECODERS = {
    "torch": ours("torch", "float32"),
    "ctranslate2 float32": ours("ctranslate2", "float32"),
    "ctranslate2 int8": ours("ctranslate2", "int8"),
    "transformers": transformers,
    "openai-whisper": openai_whisper,
    "raw float32": ctranslate2("float32"),
    "raw int8": ctranslate2("int8"),
}

if __name__ == "__main__":
    main(*sys.argv[1:])
