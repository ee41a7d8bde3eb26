"""A file of mergekit's: what it says of each model, and of each tensor.

Source: arcee-ai/mergekit 0.1.5, commit a6e402884ba9: ``config.py`` says which value
holds where; a filter is a part of a tensor's name, and the first that fits decides.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, cast

from espnet_merge.errors import InputError, warn
from espnet_merge.methods._by_tensor import DEFAULT

MARK = "merge_method"
TOP = (MARK, "base_model", "models", "parameters", "dtype", "out_dtype")
TOKENIZER = ("tokenizer_source", "tokenizer")
TEMPLATE = "chat_template"

# A value, or a mapping from regular expressions to the values that they select.
type Chosen = Any


class MergekitFile:
    """A file of mergekit's, which notes what was read of it, to refuse the rest.

    Attributes:
        base: ``base_model``, if there is one.
        models: Name of each model, in their order, to its parameters.
        experts: The models without the base.
        common: ``parameters`` of all.
    """

    def __init__(self, content: Mapping[str, Any], source: Path) -> None:
        self.content, self.source = content, source
        for key in content:
            if key not in (*TOP, *TOKENIZER, TEMPLATE):
                self.refuse(key, "is not read here; write the merge with 'models'.")
        for key in TOKENIZER:
            said = content.get(key)
            said = said.get("source") if isinstance(said, Mapping) else said
            if said not in (None, "base"):
                self.refuse(key, f"must be base, whose rows are merged; got {said!r}.")
        self.common = self._mapping("parameters", content.get("parameters"))
        self.base: str | None = content.get("base_model")
        if not isinstance(self.base, str | None):
            self.refuse("base_model", f"must be text; got {self.base!r}.")
        self.models = dict(self._models())
        self.experts = [name for name in self.models if name != self.base]
        self.of_all: set[str] = set()
        self.of_each: set[str] = set()
        self.harmless = {"int8_mask"}  # the type of a mask

    def refuse(self, key: str, why: str) -> NoReturn:
        """Raise ``InputError`` for a key."""
        raise InputError(f"{self.source}: {key} {why}")

    def count_base(self) -> None:
        """Count the base among the experts: mergekit takes it for one of them."""
        if self.base and self.base not in self.models:
            self.experts.append(self.base)
        elif self.base:
            self.experts = list(self.models)
        self.base = None

    def one(self, key: str, default: object) -> Chosen:
        """Return a parameter of all models."""
        self.of_all.add(key)
        return _simple(self._conditions(key, [self.common], default))

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a parameter that is true or false, for all tensors."""
        value = self.one(key, default)
        if not isinstance(value, bool):
            self.refuse(key, f"must be true or false for all tensors; got {value!r}.")
        return value

    def fixed(self, key: str, *, default: object, needed: object) -> None:
        """Refuse a parameter that has another value than what is computed here."""
        if (value := self.one(key, default)) != needed:
            text = str(needed).lower()
            self.refuse(key, f"must be {text}, the one way here; got {value!r}.")

    def each(self, key: str, *also: str, default: float | None = None) -> Chosen:
        """Return a parameter of ``also`` and of each expert."""
        self.of_each.add(key)
        models = [*also, *self.experts]
        if not models:
            self.refuse("models", "must name what is merged; it names none.")
        columns = [
            self._conditions(key, [self.models.get(name, {}), self.common], default)
            for name in models
        ]
        orders = {tuple(column) for column in columns if len(column) > 1}
        if len(orders) > 1:
            self.refuse(key, "must have the same filters, in one order, in all models.")
        rows = orders.pop() if orders else (DEFAULT,)
        return _simple(
            {row: tuple(c.get(row, c[DEFAULT]) for c in columns) for row in rows}
        )

    def shared(self, key: str, default: float) -> Chosen:
        """Return a parameter of each model that must be the same in all."""

        def same(values: Sequence[float]) -> float:
            if len(set(values)) > 1:
                self.refuse(key, f"must be the same for all models; got {values}.")
            return values[0]

        return mapped(same, self.each(key, default=default))

    def _conditions(
        self, key: str, places: Iterable[Mapping[str, Any]], default: object
    ) -> dict[str, Any]:
        """Return the value of each pattern, ``DEFAULT`` last; the first found holds."""
        found: dict[str, Any] = {}
        for setting in [place[key] for place in places if key in place]:
            for pattern, value in self._settings(key, setting):
                if DEFAULT not in found:
                    found.setdefault(pattern, value)
        if DEFAULT not in found and default is None:
            self.refuse(key, "must be said of all models and tensors; it is not.")
        found.setdefault(DEFAULT, default)
        return found

    def _settings(self, key: str, setting: object) -> Iterable[tuple[str, Any]]:
        filters = [setting] if isinstance(setting, Mapping) else setting
        if not isinstance(filters, list):
            filters = [{"value": setting}]
        for one in filters:
            if not isinstance(one, Mapping) or isinstance(one.get("value"), list):
                self.refuse(
                    key,
                    f"must be a number or have filters; {setting!r} changes it from"
                    " layer to layer: give patterns of names in 'params'.",
                )
            if not {"value"} <= one.keys() <= {"value", "filter"}:
                self.refuse(key, f"must have 'value' and 'filter'; got {dict(one)!r}.")
            part = one.get("filter")
            pattern = DEFAULT if part in (None, "*") else re.escape(str(part))
            yield pattern, self._number(key, one["value"])

    def _number(self, key: str, value: object) -> float:
        """Return a number, also one like 1e-3, which YAML reads as text."""
        if isinstance(value, str):
            with contextlib.suppress(ValueError):
                return float(value)
        if not isinstance(value, int | float):
            self.refuse(key, f"must be a number; got {value!r}.")
        return value

    def _models(self) -> Iterable[tuple[str, Mapping[str, Any]]]:
        models = self.content.get("models")
        if not isinstance(models, list):
            self.refuse("models", f"must be a list of models; got {models!r}.")
        seen: set[str] = set()
        for entry in models:
            model = entry.get("model") if isinstance(entry, Mapping) else None
            if not isinstance(model, str) or model in seen:
                self.refuse("models", f"must name each once, as text; got {entry!r}.")
            for key in entry:
                if key not in ("model", "parameters"):
                    self.refuse(f"models: {key}", "is not read here; leave it out.")
            seen.add(model)
            parameters = entry.get("parameters")
            yield model, self._mapping(f"parameters of {model}", parameters)

    def _mapping(self, key: str, value: object) -> Mapping[str, Any]:
        if not isinstance(value or {}, Mapping):
            self.refuse(key, f"must be 'name: value'; got {value!r}.")
        return cast("Mapping[str, Any]", value or {})

    def without_base(self, name: str) -> str:
        """Return ``lora`` of mergekit's ``base+lora``, an adapter on that base."""
        model, plus, adapter = name.partition("+")
        if not plus or Path(name).exists():
            return name
        if model != self.base:
            self.refuse("models", f"{name} is an adapter of another base.")
        return adapter

    def check_read(self, told: str) -> None:
        """Refuse what is no parameter of the method, and say what changes nothing."""
        places = {"parameters": (self.common, self.of_all | self.of_each)}
        for expert in self.experts:
            parameters = self.models.get(expert, {})
            places[f"parameters of {expert}"] = (parameters, self.of_each)
        for place, (keys, known) in places.items():
            for key in keys:
                if key not in known | self.harmless:
                    self.refuse(f"{place}: {key}", f"is none of {told}; leave it out.")
        left = {key for keys, _ in places.values() for key in keys} & self.harmless
        left |= self.content.keys() & {TEMPLATE}
        if left:
            names = ", ".join(sorted(left))
            warn(f"{self.source}: left out, because it changes no weight: {names}.")


def _simple(values: Mapping[str, Any]) -> Chosen:
    """Return the value itself where there is but one."""
    return values[DEFAULT] if len(values) == 1 else dict(values)


def mapped(function: Callable[[Any], Any], chosen: Chosen) -> Chosen:
    """Return ``function`` of the value, or of each that a pattern selects."""
    if isinstance(chosen, Mapping):
        return {pattern: function(value) for pattern, value in chosen.items()}
    return function(chosen)
