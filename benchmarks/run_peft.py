"""Merge adapters into an adapter with peft.

run_peft.py KIND OUTPUT BASE ADAPTER…
"""

import sys

from peft import PeftModel
from transformers import WhisperForConditionalGeneration


def main(kind: str, output: str, base: str, *adapters: str) -> None:
    names = [f"expert{number}" for number in range(len(adapters))]
    whisper = WhisperForConditionalGeneration.from_pretrained(base)
    model = PeftModel.from_pretrained(whisper, adapters[0], adapter_name=names[0])
    for name, path in zip(names[1:], adapters[1:], strict=True):
        model.load_adapter(path, adapter_name=name)
    weights = [1 / len(names)] * len(names)
    model.add_weighted_adapter(names, weights, "merged", combination_type=kind)
    model.save_pretrained(output, selected_adapters=["merged"])


if __name__ == "__main__":
    main(*sys.argv[1:])
