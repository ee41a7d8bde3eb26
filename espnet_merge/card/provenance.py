"""What a result was made of, as the records beside it say."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from espnet_merge.checkpoint.hub_names import is_hub_name
from espnet_merge.errors import InputError
from espnet_merge.files import (
    ADAPTER_CONFIG,
    CONFIG_JSON,
    EXPORT_YAML,
    MERGE_YAML,
)

WHISPER = "whisper"
# What the hub calls a model that was written in another format, or type.
CONVERTED: Literal["quantized"] = "quantized"
OF_TRANSFORMERS = ("hf", "peft")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A model that a result was made of.

    Attributes:
        name: on the hub, or else that of its directory.
        digests: SHA-256 of each file.
        hub: name on the hub; empty if it has none.
        commit: there.
        license: the hub's name of its licence; empty if unknown.
    """

    name: str
    digests: Mapping[str, str] = field(default_factory=dict)
    hub: str = ""
    commit: str = ""
    license: str = ""


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What a result was made of.

    Attributes:
        relation: to the base, in the hub's words.
        base: that experts were trained from.
        experts: that were merged; none of what was trained.
        method: of a merge; else empty.
        params: of the method.
        is_whisper: whether it hears speech.
        is_adapter: whether it needs its base.
        is_transformers: whether it is a directory of transformers.
        runtime_format: of an export for another runtime; else empty.
    """

    relation: Literal["merge", "adapter", "finetune", "quantized"]
    base: Source
    experts: Sequence[Source] = ()
    method: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    is_whisper: bool = True
    is_adapter: bool = False
    is_transformers: bool = True
    runtime_format: str = ""

    @property
    def title(self) -> str:
        """What it was made of, in few words."""
        trained = "converted" if self.relation == CONVERTED else "fine-tuned"
        return f"{self.base.name.rpartition('/')[2]}, {self.method or trained}"

    @property
    def sources(self) -> list[Source]:
        """Base and experts."""
        return [self.base, *self.experts]


def read_provenance(model: Path) -> Provenance:
    """Return what the records in a directory say.

    Raises:
        InputError: there is none, or it is broken.
    """
    merged, exported = model / MERGE_YAML, model / EXPORT_YAML
    record = merged if merged.is_file() else exported
    if not record.is_file():
        raise InputError(
            f"{model}: a result of 'espnet-merge merge' or 'export' is needed, with its"
            f" {MERGE_YAML} or {EXPORT_YAML}; it holds neither."
        )
    try:
        return provenance_of(yaml.safe_load(record.read_bytes()), model)
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{record}: must say what the model was made of; {error!r}: make it anew."
        ) from error


def provenance_of(record: Mapping[str, Any], model: Path) -> Provenance:
    """Return what a record says of the model beside it."""
    is_adapter = (model / ADAPTER_CONFIG).is_file()
    base = _source(record.get("base") or {"path": "unknown"})
    merged, written = "method" in record, record.get("to", "")
    return Provenance(
        relation=(
            "adapter"
            if is_adapter
            else "merge"
            if merged
            else record.get("relation", "finetune")
        ),
        base=base,
        experts=[_source(expert) for expert in record.get("experts", ())],
        method=record.get("method", ""),
        params=record.get("params") or {},
        is_whisper=bool(written) or _is_whisper(model, base),
        is_adapter=is_adapter,
        is_transformers=not (other := written not in ("", *OF_TRANSFORMERS))
        and (model / CONFIG_JSON).is_file(),
        runtime_format=written if other else "",
    )


def name_of(model: Path) -> str:
    """Return what a model is called where it has no name on the hub.

    >>> name_of(Path("exp/full_es/model")), name_of(Path("exp/base"))
    ('full_es', 'base')
    """
    path = model.absolute()
    return path.parent.name if path.stem == "model" else path.name


def _source(said: Mapping[str, Any]) -> Source:
    path = str(said["path"])
    # One that was taken from the hub has its name and commit in place of a path.
    named = path if "@" in path and is_hub_name(path) else ""
    hub, _, commit = str(said.get("origin") or named).partition("@")
    return Source(
        name=hub or name_of(Path(path)),
        digests=said.get("sha256") or {},
        hub=hub,
        commit=commit,
        license=said.get("license", ""),
    )


def _is_whisper(model: Path, base: Source) -> bool:
    """Return whether a model is a Whisper, by its files, or else by its base's name."""
    config = model / CONFIG_JSON
    if config.is_file():
        return bool(json.loads(config.read_bytes()).get("model_type") == WHISPER)
    return WHISPER in base.hub.lower()
