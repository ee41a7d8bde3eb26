"""The mode of a decoding: what its hypotheses depend on, as text.json records it."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from espnet_merge.checkpoint.identity import files_digest
from espnet_merge.checkpoint.padding import KEY
from espnet_merge.decode.journal import Record
from espnet_merge.decode.routes import Routes
from espnet_merge.decode.settings import Settings
from espnet_merge.decode.utterances import Utterance
from espnet_merge.disk.digest import sha256_of_all

PACKAGES = ("espnet_merge", "torch", "transformers")  # and that of the backend
# Keys of the mode that change no hypothesis.
NOT_COMPARED = ("model", "adapter", "adapters", "router", "versions", KEY)
# Keys of the mode: digest of what is at a path -> the path.
PLACES = {f"{name}_sha256": name for name in ("model", "adapter", "adapters", "router")}


def mode_of(
    model: Path, adapter: Path | None, routes: Routes | None, settings: Settings
) -> Record:
    """Return settings, models and versions: all that hypotheses depend on but data."""
    adapters = None if routes is None else routes.adapters
    router = routes and routes.router and routes.router.path
    return {
        **vars(settings),
        "model": str(model),
        "model_sha256": files_digest(model),
        "adapter": adapter and str(adapter),
        "adapter_sha256": adapter and files_digest(adapter),
        "adapters": adapters and {name: str(path) for name, path in adapters.items()},
        "adapters_sha256": adapters
        and {name: files_digest(path) for name, path in adapters.items()},
        "fallback": routes and routes.fallback,
        "router": router and str(router),
        "router_sha256": router and files_digest(router),
        "versions": {
            name: version(name) for name in sorted({*PACKAGES, settings.backend})
        },
    }


def compared(mode: Record) -> Record:
    """Return what of a mode changes hypotheses."""
    return {name: value for name, value in mode.items() if name not in NOT_COMPARED}


def digests_of(utterances: Sequence[Utterance]) -> Record:
    """Return the SHA-256 of the list of utterances, and of their audio."""
    return {
        "data_sha256": spans_digest(utterances),
        "audio_sha256": sha256_of_all(u.audio for u in utterances if not u.defect),
    }


def spans_digest(utterances: Iterable[Utterance]) -> str:
    """Return the SHA-256 of names, spans, languages and tasks."""
    lines = [(u.name, u.start, u.samples, u.language, u.task) for u in utterances]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()
