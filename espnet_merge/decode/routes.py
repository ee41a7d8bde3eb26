"""Choosing the adapter of an utterance, by its language or by a router."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from espnet_merge.decode.expert import check_adapter
from espnet_merge.decode.router import Router, load_router
from espnet_merge.decode.settings import Settings
from espnet_merge.errors import InputError
from espnet_merge.lora.stored_mixture import is_mixture
from espnet_merge.options import AnyPath
from espnet_merge.speech import AUTO, LANGUAGES
from espnet_merge.whisper.prompt import check_language

NONE = "none"  # the base alone
FALLBACK = "fallback"  # in text.json, an adapter that has no other name


@dataclass(frozen=True, kw_only=True)
class Routes:
    """Adapters by language or by name of the router, and the fallback for others.

    Attributes:
        adapters: language or name -> directory of its adapter or mixture; also
            ``FALLBACK`` -> directory if the fallback is another one.
        fallback: ``NONE``, a key of ``adapters``, or None if no utterance may need it.
        min_confidence: probability of the language, or of the router's choice, below
            which the fallback is used.
        router: what chooses by the audio; None if the language decides.
    """

    adapters: dict[str, Path]
    fallback: str | None = None
    min_confidence: float | None = None
    router: Router | None = None

    def __call__(self, name: str, probability: float) -> str:
        """Return ``NONE`` or a key of ``adapters``."""
        if probability >= (self.min_confidence or 0.0) and name in self.adapters:
            return name
        return self.fallback or NONE

    @cached_property
    def mixtures(self) -> dict[str, Path]:
        """Those of ``adapters`` that are mixtures; each needs a model of its own."""
        return {name: path for name, path in self.adapters.items() if is_mixture(path)}

    @cached_property
    def stacked(self) -> dict[str, Path]:
        """The other ``adapters``, which one model holds side by side."""
        return {n: p for n, p in self.adapters.items() if n not in self.mixtures}

    def index(self, name: str) -> int:
        """Return the index of the adapter in its model; 0 for ``NONE`` and mixtures."""
        return 0 if name in self.mixtures else [NONE, *self.stacked].index(name)

    def check(self, where: object, names: Iterable[str]) -> None:
        """Raise ``InputError`` if a name has no adapter and there is no fallback.

        Args:
            where: file, directory or option that gives the names.
            names: languages that utterances may have, or names of the router.
        """
        if self.fallback is not None:
            return
        if missing := sorted(set(names) - self.adapters.keys()):
            what = "name" if self.router else "language"
            raise InputError(
                f"{where}: each {what} must have one of --adapters; {len(missing)} "
                f"({', '.join(missing[:3])}) have none: add them, or say with "
                "--fallback what decodes them ('none': the base alone)."
            )


def read_routes(
    adapters: Mapping[str, AnyPath],
    fallback: AnyPath | None,
    settings: Settings,
    known: Collection[str] = LANGUAGES,
    router: Path | None = None,
) -> Routes:
    """Return the routes, after a check that each directory holds an adapter.

    Args:
        adapters: language, or name of the router -> directory of its PEFT adapter or
            mixture.
        fallback: ``none``, one of these names, or another directory; None if every
            utterance must have a name with an adapter.
        settings: how to decode, with ``min_confidence``.
        known: codes of the model's languages.
        router: directory of the router; None if the language decides.

    Raises:
        InputError: a name is unknown, a directory holds no adapter, or the settings do
            not allow many adapters.
    """
    _check_settings(settings, fallback, router)
    loaded = load_router(router) if router else None
    _check_names(adapters, known, loaded)
    paths = {name: Path(place) for name, place in adapters.items()}
    if fallback not in (None, NONE, *paths):
        paths[FALLBACK] = Path(str(fallback))
        fallback = FALLBACK
    for path in paths.values():
        if not is_mixture(path):
            check_adapter(path)
    routes = Routes(
        adapters=paths,
        fallback=fallback,
        min_confidence=settings.min_confidence,
        router=loaded,
    )
    if loaded is not None:
        routes.check("--router", loaded.names)
    elif settings.language == AUTO:
        routes.check("--languages", settings.languages or known)
    return routes


def _check_settings(
    settings: Settings, fallback: AnyPath | None, router: Path | None
) -> None:
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
    chosen = router is not None or settings.language == AUTO
    if settings.min_confidence is not None and not chosen:
        raise InputError(
            "min_confidence needs language auto or --router; got language "
            f"{settings.language!r}: pass one of the two, or drop it."
        )


def _check_names(
    adapters: Iterable[str], known: Collection[str], router: Router | None
) -> None:
    for name in adapters:
        if router is None:
            check_language(name, known)
        elif name not in router.names:
            raise InputError(
                f"--adapters must have names of {router.path}, which are "
                f"{', '.join(router.names)}; got {name!r}."
            )
