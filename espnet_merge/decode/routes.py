"""Choosing the adapter of an utterance by its language, or else the fallback."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from espnet_merge.decode.expert import check_adapter
from espnet_merge.decode.identify import IdentifiedLanguage
from espnet_merge.decode.settings import Settings
from espnet_merge.errors import InputError
from espnet_merge.options import AnyPath
from espnet_merge.speech import AUTO, LANGUAGES
from espnet_merge.whisper.prompt import check_language

NONE = "none"  # the base alone
FALLBACK = "fallback"  # in text.json, an adapter that belongs to no language


@dataclass(frozen=True, kw_only=True)
class Routes:
    """Adapters by language, and the fallback for other languages.

    Attributes:
        adapters: language -> directory of its adapter; also ``FALLBACK`` -> directory
            if the fallback is another adapter.
        fallback: ``NONE``, a key of ``adapters``, or None if no utterance may need it.
        min_confidence: probability of the language below which the fallback is used.
    """

    adapters: dict[str, Path]
    fallback: str | None = None
    min_confidence: float | None = None

    def __call__(self, language: IdentifiedLanguage) -> str:
        """Return ``NONE`` or a key of ``adapters``."""
        confident = language.probability >= (self.min_confidence or 0.0)
        if confident and language.code in self.adapters:
            return language.code
        return self.fallback or NONE

    def index(self, name: str) -> int:
        """Return the index of the adapter in the model; that of ``NONE`` is 0."""
        return [NONE, *self.adapters].index(name)

    def check(self, where: object, languages: Iterable[str]) -> None:
        """Raise ``InputError`` if a language has no adapter and there is no fallback.

        Args:
            where: file, directory or option that names the languages.
            languages: languages that utterances may have.
        """
        if self.fallback is not None:
            return
        if missing := sorted(set(languages) - self.adapters.keys()):
            raise InputError(
                f"{where}: each language must have one of --adapters; {len(missing)} "
                f"({', '.join(missing[:3])}) have none: add them, or say with "
                "--fallback what decodes them ('none': the base alone)."
            )


def read_routes(
    adapters: Mapping[str, AnyPath],
    fallback: AnyPath | None,
    settings: Settings,
    known: Collection[str] = LANGUAGES,
) -> Routes:
    """Return the routes, after a check that each directory holds an adapter.

    Args:
        adapters: language -> directory of its PEFT adapter.
        fallback: ``none``, one of the languages, or another adapter directory; None if
            every utterance must have a language with an adapter.
        settings: how to decode, with ``min_confidence``.
        known: codes of the model's languages.

    Raises:
        InputError: a language is unknown, a directory holds no adapter, or the
            settings do not allow adapters by language.
    """
    if settings.backend != "torch":
        raise InputError(
            f"--adapters need backend torch; got {settings.backend}: drop one of the "
            "two, or decode language by language with --adapter."
        )
    if settings.min_confidence is not None and fallback is None:
        raise InputError(
            "min_confidence needs --fallback, which decodes what is less probable: "
            "name a language, an adapter directory, or 'none' for the base alone."
        )
    for language in adapters:
        check_language(language, known)
    paths = {language: Path(place) for language, place in adapters.items()}
    if fallback not in (None, NONE, *paths):
        paths[FALLBACK] = Path(str(fallback))
        fallback = FALLBACK
    for path in paths.values():
        check_adapter(path)
    routes = Routes(
        adapters=paths, fallback=fallback, min_confidence=settings.min_confidence
    )
    if settings.language == AUTO:
        routes.check("--languages", settings.languages or known)
    return routes
