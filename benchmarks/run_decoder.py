#!/usr/bin/env python3
"""Decode utterances with one decoder; print CPU seconds and texts as JSON.

run_decoder.py DECODER MODEL WAVS LANGUAGE BEAM BATCH_SIZE TAIL

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
    beam, batch_size = map(int, sizes[:2])
    paths = Path(wavs).read_text().splitlines()
    decode = decoders(float(sizes[2]))[decoder](model, language, beam)
    decode(paths[-1:])
    start = time.process_time()
    texts = list(_decode_all(decode, paths, batch_size))
    spent = time.process_time() - start
    print(json.dumps({"cpu": spent, "texts": texts}))


def _decode_all(decode: Decoder, paths: Sequence[str], size: int) -> Iterator[str]:
    for batch in itertools.batched(paths, size):
        yield from (" ".join(text.split()) for text in decode(batch))


def ours(backend: str, dtype: str, **mode: object) -> Callable[..., Decoder]:
    def load(model: str, language: str, beam: int) -> Decoder:
        from espnet_merge.decode.recognize import Recognizer
        from espnet_merge.decode.record import text_of
        from espnet_merge.decode.settings import Settings
        from espnet_merge.decode.transcribe import load_backend
        from espnet_merge.decode.utterances import Utterance
        from espnet_merge.whisper.prompt import load_tokenizer

        settings = Settings(
            beam=beam,
            max_new_tokens=MAX_NEW_TOKENS,
            backend=backend,
            dtype=dtype,
            **mode,
        )
        tokenizer = load_tokenizer(Path(model))
        recognizer = Recognizer(load_backend(Path(model), None, settings, tokenizer))

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
                text_of(recognizer.tokenizer, segment.hypothesis.tokens)
                for segment in recognizer(batch)
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


def faster_whisper(model: str, language: str, beam: int) -> Decoder:
    import numpy as np
    from faster_whisper import BatchedInferencePipeline, WhisperModel

    network = WhisperModel(model, device="cpu", compute_type="float32", cpu_threads=1)
    pipeline = BatchedInferencePipeline(network)

    def decode(paths: Sequence[str]) -> list[str]:
        # It batches pieces of one recording: here a window for each utterance.
        windows = np.zeros((len(paths), 30 * 16_000), np.float32)
        for window, path in zip(windows, paths, strict=True):
            audio = _read(path)
            window[: len(audio)] = audio
        found, _ = pipeline.transcribe(
            windows.ravel(),
            language=language,
            beam_size=beam,
            batch_size=len(paths),
            clip_timestamps=[
                {"start": 30 * i, "end": 30 * i + 30} for i in range(len(paths))
            ],
            without_timestamps=True,
            max_new_tokens=MAX_NEW_TOKENS,
            temperature=0.0,
        )
        texts = [""] * len(paths)
        for segment in found:
            texts[int(segment.start / 30)] += segment.text
        return texts

    return decode


def espnet(model: str, language: str, beam: int) -> Decoder:
    import warnings

    import torch
    import whisper
    import yaml

    warnings.simplefilter("ignore")
    load = whisper.load_model
    # ESPnet knows Whisper by its size and fetches it; here it is at hand.
    whisper.load_model = lambda *_, **__: load(model, device="cpu")
    sys.argv = ["asr_inference"]
    from espnet2.bin.asr_inference import Speech2Text
    from espnet2.tasks.asr import ASRTask

    tokens = [f"<{number}>" for number in range(51865)]
    tokens[50257:50259] = ["<|endoftext|>", "<|startoftranscript|>"]
    size = {"whisper_model": "base"}
    config = ASRTask.get_default_config() | {
        "token_type": "whisper_multilingual",
        "bpemodel": "whisper_multilingual",
        "token_list": tokens,
        "input_size": 1,
        "normalize": None,
        "specaug": None,
        "encoder": "whisper",
        "encoder_conf": {**size, "do_pad_trim": True},
        "decoder": "whisper",
        "decoder_conf": size,
        "preprocessor_conf": {"whisper_language": language},
        "model_conf": {
            "ctc_weight": 0.0,
            "sym_sos": "<|startoftranscript|>",
            "sym_eos": "<|endoftext|>",
        },
    }
    path = Path(model).with_name("espnet.yaml")
    path.write_text(yaml.safe_dump(config))
    speech2text = Speech2Text(
        path, ctc_weight=0.0, beam_size=beam, maxlenratio=-float(MAX_NEW_TOKENS)
    )

    def decode(paths: Sequence[str]) -> list[str]:
        # As asr_inference does, which takes batches of one.
        with torch.inference_mode():
            return [speech2text(_read(path))[0][0] or "" for path in paths]

    return decode


def ctranslate2(compute_type: str) -> Callable[[str, str, int], Decoder]:
    def load(model: str, language: str, beam: int) -> Decoder:
        import ctranslate2
        from transformers import WhisperFeatureExtractor, WhisperTokenizer

        tokenizer = WhisperTokenizer.from_pretrained(model)
        extractor = WhisperFeatureExtractor.from_pretrained(model)
        network = ctranslate2.models.Whisper(
            model, compute_type=compute_type, intra_threads=1
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


def decoders(tail: float) -> dict[str, Callable[[str, str, int], Decoder]]:
    """Return all by name; ``tail`` is silence in seconds, where nothing is padded."""
    return {
        "torch": ours("torch", "float32"),
        "torch, early stopping": ours("torch", "float32", early_stopping=True),
        "torch, true length": ours("torch", "float32", pad_to=0.0, tail=tail),
        "ctranslate2 float32": ours("ctranslate2", "float32"),
        "ctranslate2 int8": ours("ctranslate2", "int8"),
        "transformers": transformers,
        "openai-whisper": openai_whisper,
        "faster-whisper": faster_whisper,
        "espnet": espnet,
        "raw float32": ctranslate2("float32"),
        "raw int8": ctranslate2("int8"),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
