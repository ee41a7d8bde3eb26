"""The systems that hear a recording: models, adapters, and routes between them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from espnet_merge.card.provenance import name_of
from espnet_merge.checkpoint.padding import PUBLISHED, common_padding
from espnet_merge.decode.batches import batches
from espnet_merge.decode.expert import check_expert
from espnet_merge.decode.recognize import Recognizer
from espnet_merge.decode.record import utterance_record
from espnet_merge.decode.routes import NONE, Routes, read_routes
from espnet_merge.decode.segments import cut
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.transcribe import load_backend
from espnet_merge.decode.utterances import Utterance
from espnet_merge.files import ADAPTER_CONFIG
from espnet_merge.lora.stored_mixture import is_mixture
from espnet_merge.options import AnyPath, build
from espnet_merge.speech import AUTO
from espnet_merge.whisper.fetched import languages_of
from espnet_merge.whisper.prompt import load_tokenizer


class Heard(NamedTuple):
    """What a system made of a recording.

    Attributes:
        name: of the system.
        text: that it decoded.
        language: that was given, or heard.
        adapter: that a route chose; empty where there is no choice.
        seconds: of decoding, without the loading of the model.
    """

    name: str
    text: str
    language: str
    adapter: str
    seconds: float


@dataclass(frozen=True)
class System:
    """A model, a model with an adapter, or a route between adapters.

    It is loaded when it first hears something, and stays in memory.

    Attributes:
        name: of the system.
        model: Hugging Face directory.
        adapter: PEFT adapter or mixture on it.
        routes: adapters to choose from, in place of one.
        device: ``cpu`` or ``cuda``.
    """

    name: str
    model: Path
    adapter: Path | None = None
    routes: Routes | None = None
    device: str = "cpu"

    @cached_property
    def settings(self) -> Settings:
        """How it decodes: padded as it was trained."""
        used = [self.adapter or self.model]
        if self.routes is not None:
            used = list(self.routes.adapters.values())
        padding = common_padding(used) or PUBLISHED
        return build(
            Settings,
            {**padding._asdict(), "language": AUTO, "device": self.device},
        )

    @cached_property
    def recognizer(self) -> Recognizer:
        """What decodes."""
        tokenizer = load_tokenizer(self.model)
        backend = load_backend(
            self.model, self.adapter, self.settings, tokenizer, self.routes
        )
        mixtures = self.routes.mixtures if self.routes else {}
        return Recognizer(
            backend,
            self.routes,
            {
                name: load_backend(self.model, path, self.settings, tokenizer)
                for name, path in mixtures.items()
            },
        )

    def hear(self, recording: Utterance) -> Heard:
        """Decode a recording of any length."""
        recognizer = self.recognizer
        if recording.language != AUTO:
            recognizer = given_language(recognizer)
        start = time.monotonic()
        segments = cut([recording], self.settings.tail)
        decoded = [
            segment
            for batch in batches(segments, self.settings.batch_size)
            for segment in recognizer(batch)
        ]
        seconds = time.monotonic() - start
        record = utterance_record(recording, decoded, recognizer.tokenizer)
        first = decoded[0] if decoded else None
        return Heard(
            self.name,
            record["text"],
            first.language.code if first else recording.language,
            (first.adapter or "") if first else "",
            seconds,
        )


def given_language(recognizer: Recognizer) -> Recognizer:
    """Return what decodes with the same network, in the language of the utterance."""
    backend = replace(
        recognizer.backend,  # type: ignore[type-var]
        settings=replace(recognizer.settings, language=None),
    )
    return replace(recognizer, backend=backend)


def systems_of(base: Path, others: Sequence[Path], device: str) -> list[System]:
    """Return the base and other models; an adapter or a mixture is put on the base.

    Raises:
        InputError: one cannot be loaded.
    """
    found = [System("base", base, device=device)]
    for path in others:
        if path.resolve() == base.resolve():
            continue
        on_base = is_mixture(path) or (path / ADAPTER_CONFIG).is_file()
        model, adapter = (base, path) if on_base else (path, None)
        check_expert(model, adapter)
        load_tokenizer(model)
        found.append(System(name_of(path), model, adapter, device=device))
    return found


def routed(
    base: Path, adapters: Mapping[str, AnyPath], router: Path | None, device: str
) -> System:
    """Return a route between adapters; the base decodes what is given to none.

    Args:
        base: Hugging Face directory.
        adapters: language, or name of the router -> directory.
        router: directory of a router; None if the language decides.
        device: ``cpu`` or ``cuda``.

    Raises:
        InputError: a name is unknown, or a directory holds no adapter.
    """
    settings = build(Settings, {"language": AUTO})
    routes = read_routes(adapters, NONE, settings, languages_of(base), router)
    return System("routed", base, routes=routes, device=device)
