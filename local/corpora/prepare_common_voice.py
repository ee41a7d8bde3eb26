"""Common Voice -> data/<language>_{train,valid,test}."""

import argparse

import common_voice
from options import ANY, DATA, ONE, SOME, run

from espnet_merge.data.sets import is_there, write_sets
from espnet_merge.errors import InputError
from espnet_merge.speech import code_of


def main() -> None:
    """Prepare the sets that do not exist yet."""
    run(prepare, langs=SOME, urls=ANY, commonvoice=ONE)


def prepare(args: argparse.Namespace) -> None:
    """Write the data directories of all languages."""
    for code, url in _addresses(args.langs, args.urls).items():
        language = code_of(code)
        if not is_there(str(language), DATA):
            place = args.downloads / "commonvoice"
            folder = common_voice.find(code, args.commonvoice, url, place)
            splits = common_voice.read(folder, code)
            audio = DATA / "local" / str(language)
            write_sets(str(language), splits, DATA, audio, args.nj)


def _addresses(codes: list[str], urls: list[str]) -> dict[str, str]:
    """Return code -> URL of its archive, or nothing; both are checked."""
    for code in codes:
        if code_of(code) is None:
            raise InputError(
                f"--langs must be of Common Voice's codes for languages that Whisper "
                f"knows, as es or sv-SE; got {code!r}."
            )
    if urls and len(urls) != len(codes):
        raise InputError(
            "--urls must be one for each language, in their order; got "
            f"{len(urls)} for {len(codes)}."
        )
    return dict(zip(codes, urls or [""] * len(codes), strict=True))


if __name__ == "__main__":
    main()
