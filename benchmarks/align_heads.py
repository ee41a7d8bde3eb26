"""Errors of word boundaries before and after align-heads, on real English speech.

    python benchmarks/align_heads.py --work exp/alignment \
        --models base=exp/base expert=exp/full_en/model \
        --dev dump/raw/en_valid --test dump/raw/en_test

The reference is a forced alignment by PocketSphinx (PyPI: pocketsphinx), whose wheel
carries an acoustic model and a dictionary of English. Heads are chosen on --dev. The
judge is the word timestamps of transformers' pipeline on --test, as users get them: of
the words that it hears as they were said, starts and ends are compared, but for the
first start. Prints a table in Markdown.
"""

import argparse
import copy
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np
import soundfile
import torch
from pocketsphinx import Decoder
from transformers import AutomaticSpeechRecognitionPipeline, logging, pipeline

from espnet_merge.alignment.align import Heads, find_heads
from espnet_merge.alignment.words import Word, read_ctm, summary
from espnet_merge.data.table import read_table
from espnet_merge.files import WAV_SCP

FRAME = 0.01  # of PocketSphinx, in seconds
HEADER = "| model | set | heads | words | median | mean | 50 ms | 100 ms | 200 ms |"


def words_in(text: str) -> list[str]:
    return [re.sub(r"[^a-z']", "", word.lower()) for word in text.split()]


def align(text: str, audio: np.ndarray) -> list[Word]:
    """Return the words with their times; none where the dictionary lacks one."""
    decoder = Decoder(lm=None, loglevel="FATAL")
    words = words_in(text)
    if not all(word and decoder.lookup_word(word) for word in words):
        return []
    decoder.set_align_text(" ".join(words))
    decoder.start_utt()
    decoder.process_raw((audio * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    spoken = [s for s in decoder.seg() or () if not s.word.startswith(("<", "["))]
    if len(spoken) != len(words):
        return []
    return [
        Word(word, FRAME * s.start_frame, FRAME * (s.end_frame + 1))
        for word, s in zip(words, spoken, strict=True)
    ]


def write_ctm(data: Path, path: Path, limit: int) -> Path:
    """Write the alignment of some utterances; return a set of these alone."""
    texts, audio = read_table(data / "text"), read_table(data / WAV_SCP)
    chosen, lines = [], []
    for name, text in texts.items():
        if len(chosen) == limit:
            break
        samples, _ = soundfile.read(audio[name], dtype="float32")
        if len(words_in(text)) > 1 and (words := align(text, samples)):
            chosen.append(name)
            for word in words:
                length = word.end - word.start
                lines.append(f"{name} 1 {word.start:.2f} {length:.2f} {word.text}\n")
    part = path.with_suffix("")
    part.mkdir(parents=True, exist_ok=True)
    for table in ("text", WAV_SCP, "utt2lang"):
        rows = read_table(data / table)
        (part / table).write_text("".join(f"{n} {rows[n]}\n" for n in chosen))
    path.write_text("".join(lines))
    return part


def recogniser(model: Path) -> AutomaticSpeechRecognitionPipeline:
    """Return transformers' pipeline, which encodes each utterance but once."""
    recognise = pipeline("automatic-speech-recognition", str(model), dtype="float32")
    encoder, encoded = recognise.model.model.encoder, {}
    forward = encoder.forward

    def encode(input_features: torch.Tensor, **more: object) -> object:
        key = input_features.numpy().tobytes()
        if key not in encoded:
            encoded[key] = forward(input_features, **more)
        return copy.copy(encoded[key])

    encoder.forward = encode
    return recognise


def heard(
    recognise: AutomaticSpeechRecognitionPipeline, heads: Heads, data: Path
) -> Iterator[tuple[str, list[Word]]]:
    """Yield utterance and words as the pipeline hears them, by some heads."""
    spoken = {"language": "en", "task": "transcribe"}
    recognise.model.generation_config.alignment_heads = [list(head) for head in heads]
    for name, file in read_table(data / WAV_SCP).items():
        samples, rate = soundfile.read(file, dtype="float32")
        done = recognise(
            {"raw": samples, "sampling_rate": rate},
            return_timestamps="word",
            generate_kwargs=spoken,
        )
        words = []
        for chunk in done["chunks"]:
            start, end = chunk["timestamp"]
            text = "".join(words_in(chunk["text"]))
            words.append(Word(text, start, end if end is not None else start))
        yield name, words


def judged(
    words_of: Iterable[tuple[str, list[Word]]], ctm: Path
) -> tuple[int, np.ndarray]:
    """Return how many words were heard as said, and the errors of their boundaries."""
    reference, count, errors = read_ctm(ctm), 0, []
    for name, words in words_of:
        said = reference[name]
        matcher = SequenceMatcher(
            a=[w.text for w in words], b=[w.text for w in said], autojunk=False
        )
        for block in matcher.get_matching_blocks():
            for i in range(block.size):
                ours, theirs = words[block.a + i], said[block.b + i]
                count += 1
                errors.append(abs(ours.end - theirs.end))
                if block.b + i:
                    errors.append(abs(ours.start - theirs.start))
    return count, np.array(errors)


def row(names: Sequence[str], count: int, errors: np.ndarray) -> str:
    told = summary(errors)
    milliseconds = [f"{told[key]:.0f}" for key in ("median", "mean")]
    shares = [f"{told[key]:.1f}" for key in told if key.startswith("within")]
    return f"| {' | '.join([*names, str(count), *milliseconds, *shares])} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", required=True, metavar="NAME=DIR")
    parser.add_argument("--dev", type=Path, required=True)
    parser.add_argument("--test", type=Path, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=60, help="utterances of each set")
    options = parser.parse_args()
    logging.set_verbosity_error()
    torch.set_num_threads(1)
    work = options.work
    sets = [options.dev, *options.test]
    ctms = {data: work / f"{data.name}.ctm" for data in sets}
    parts = {data: write_ctm(data, ctm, options.limit) for data, ctm in ctms.items()}
    print(HEADER)
    print("|---|---|---|---:|---:|---:|---:|---:|---:|")
    for name, path in (item.split("=", 1) for item in options.models):
        model, kinds = Path(path), {}
        for kind, ctm in (("with --ctm", ctms[options.dev]), ("without", None)):
            reference = read_ctm(ctm) if ctm else None
            found = find_heads(model, parts[options.dev], reference, 10)
            print(f"{name}, {kind}: {found}", file=sys.stderr, flush=True)
            kinds |= {"before": found.before, kind: found.heads}
        recognise = recogniser(model)
        for data in options.test:
            for kind, heads in kinds.items():
                if heads:  # the model may have named none
                    words = heard(recognise, heads, parts[data])
                    counts = judged(words, ctms[data])
                    print(row([name, data.name, kind], *counts), flush=True)


if __name__ == "__main__":
    main()
