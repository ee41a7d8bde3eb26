"""The test prompts, read by a second Italian voice -> a test set, for --ood.

  python local/second_voice.py ood/it_menardi
  ./run.sh --config conf/languages.yaml --ood ood/it_menardi

The package asterisk-prompt-it-menardi-wav (8 kHz, CC BY-SA 3.0) has no texts. Those of
the first voice hold where both read the same words. They were compared by reading what
Whisper base writes of each test prompt; OTHER_WORDS has the keys of other words. Only
sentences of the test split are taken. The French (armelle) and the Colombian (es-co)
voice read other words in most prompts, so they make no test set.
"""

import argparse
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from packages import packages
from prepare import usable
from prompts import prompt_texts, spoken_prompt
from recording import Files, Recording, name_of
from sentences import Percent, split_of

from espnet_merge.data.kaldi import KaldiUtterance, write_kaldi
from espnet_merge.disk.atomic import whole_directory
from espnet_merge.disk.cache import default_cache
from espnet_merge.errors import one_line_error

NAME = "it_menardi"
# Test prompts of which the second voice reads other words, or whose text is not listed.
OTHER_WORDS = {
    "agent-alreadyon",
    "agent-pass",
    "conf-getchannel",
    "conf-getpin",
    "conf-onlyone",
    "confbridge-mute-extended",
    "demo-moreinfo",
    "demo-thanks",
    "queue-thankyou",
    "queue-thereare",
    "vm-calldiffnum",
    "vm-incorrect",
    "vm-instructions",
    "vm-next",
    "vm-nobox",
    "vm-rec-name",
    "vm-tooshort",
    "vm-torerecord",
}


def main() -> None:
    """Write the data directory, and its audio beside it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("output", type=Path, help="data directory to write")
    parser.add_argument(
        "--test", type=int, default=30, help="as of data.sh (%(default)s)"
    )
    parser.add_argument(
        "--valid", type=int, default=10, help="as of data.sh (%(default)s)"
    )
    parser.add_argument("--cache", type=Path, default=default_cache())
    args = parser.parse_args()
    with one_line_error("second_voice.py", OSError):
        audio = args.output.with_name(f"{args.output.name}_audio").resolve()
        files = packages(args.cache)
        utterances = []
        with whole_directory(audio) as part:
            for recording in second_voice(files, Percent(args.test, args.valid)):
                name = name_of(NAME, recording.key)
                (part / f"{name}.wav").write_bytes(recording.content)
                utterances.append(
                    KaldiUtterance(
                        name, str(audio / f"{name}.wav"), recording.text, NAME, "it"
                    )
                )
        write_kaldi(utterances, args.output)
        print(f"{args.output}: {len(utterances)} utterances.")


def second_voice(files: Files, percent: Percent) -> Iterator[Recording]:
    """Yield the test prompts whose words both voices read."""
    texts = prompt_texts("it", files)
    for path, content in files("asterisk-prompt-it-menardi-wav"):
        found = re.search(r"/sounds/[^/]+/(.+)\.wav$", path)
        if not found or found[1] in OTHER_WORDS:
            continue
        recording = spoken_prompt(found[1], texts, content, "wav", Counter())
        if recording and split_of(recording.sentence, percent) == "test":
            yield from usable([recording], Counter())


if __name__ == "__main__":
    main()
