"""Speech translation: spoken sentences with their English texts.

Some corpora have the same keys in every language, so that the English text of a key is
the translation of what is spoken under it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace

from recording import Text, name_of
from sentences import SPLITS, Percent, clean, flaw, plain, split_of

from espnet_merge.data.kaldi import KaldiUtterance
from espnet_merge.speech import TRANSLATE


def translation_of(name: str, language: str) -> str:
    """Return the name of a set's translations: ``es-en_tv`` of ``es_tv``."""
    return f"{language}-en{name.removeprefix(language)}"


def translated(
    spoken: Mapping[str, list[KaldiUtterance]],
    name: str,
    language: str,
    english: Mapping[str, Text],
    percent: Percent,
    dropped: Counter[str],
) -> Iterator[tuple[str, KaldiUtterance]]:
    """Yield the utterances that have an English text, each with its split.

    Two keys may have the same English text and be in two splits. Then only the first
    split of ``SPLITS`` keeps it. The texts of all keys decide that, not only of those
    spoken in this language, so the result is the same for every language.

    Args:
        spoken: split -> utterances of the recognition sets.
        name: of the recognition sets, with which their utterances' names begin.
        language: code of the spoken language.
        english: key -> text, of the whole corpus.
        percent: of the sentences, for test and valid.
        dropped: counter of dropped utterances by reason; changed in place.
    """
    texts = {name_of(name, key): clean(one.text) for key, one in english.items()}
    splits: dict[str, str] = {}
    own = {key: split_of(one.sentence, percent) for key, one in english.items()}
    for key in sorted(own, key=lambda key: SPLITS.index(own[key])):
        splits.setdefault(plain(clean(english[key].text)), own[key])
    # Sets of both tasks are combined, so their names must differ; and a speaker begins
    # the name. Not with a hyphen, for "es-en" would sort after "es" as a speaker, but
    # between the names that begin with "es-".
    new = translation_of(name, language).replace("-", "_")
    for split, utterances in spoken.items():
        for utterance in utterances:
            text = texts.get(utterance.name)
            if text is None:
                dropped["no English text"] += 1
            elif reason := flaw(text):
                dropped[f"English: {reason}"] += 1
            elif splits[plain(text)] != split:
                dropped["English text of another split"] += 1
            else:
                yield (
                    split,
                    replace(
                        utterance,
                        name=new + utterance.name.removeprefix(name),
                        speaker=new + utterance.speaker.removeprefix(name),
                        text=text,
                        task=TRANSLATE,
                    ),
                )
