"""Options declared once: fields that Python, the command line and YAML fill.

A command is a frozen dataclass. Its fields are its options, and its call is what it
does::

    @dataclass(frozen=True, kw_only=True)
    class Command(Options):
        beam: Annotated[int, Option("texts kept open", least=1, most=100)] = 1

        def __call__(self) -> Result: ...

``__main__.parse`` makes one of words, ``function`` one of keyword arguments, and
``read_yaml`` reads some of its fields. Types, ranges and choices are checked here,
whatever fills them.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields
from inspect import Parameter, Signature, cleandoc, get_annotations
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from espnet_merge.errors import InputError
from espnet_merge.extras import named_extra

# What a command takes in Python where it reads or writes a file or a directory.
AnyPath = str | Path
# What a value of a type is called, and many.
NAMES = {
    int: ("a whole number", "whole numbers"),
    float: ("a number", "numbers"),
    str: ("text in quotes", "texts"),
    Path: ("a path", "paths"),
    Mapping: ("a mapping", "mappings"),
}


class Option:
    """What stands beside the type of a field.

    Args:
        help: what it is; the default is added to it.
        default: what the default is in words.
        least: of a number, or of each in a list.
        most: likewise, where there is a least.
        flag: the option's name on the command line, if not the field's.
        file: the value is a YAML file, which may hold the options of this dataclass;
            what is given besides overrides it.
        read: makes the value of the word, or of the words, of a command line.
        find: makes what is used of what is given, such as the copy of a model on the
            hub; called for each value of a list or mapping, when all have been checked.
        argparse: further arguments of ``add_argument``, such as ``metavar``.
    """

    def __init__(
        self,
        help: str,
        *,
        default: str | None = None,
        least: float | None = None,
        most: float | None = None,
        flag: str | None = None,
        file: "type[Options] | None" = None,
        read: Callable[[Any], object] | None = None,
        find: Callable[[Any], object] | None = None,
        **argparse: Any,  # noqa: ANN401
    ) -> None:
        self.help, self.default, self.least, self.most = help, default, least, most
        self.flag, self.file, self.read, self.find = flag, file, read, find
        self.argparse = argparse


@dataclass(frozen=True)
class Declared:
    """An option as a field declares it.

    Args:
        place: dataclass that declares it.
        field: of this dataclass or one that is based on it.
        hint: type of the field.
        option: that stands beside it.
        kind: type of a value, of several the last.
        many: types of the list where there is one of values, else none.
        choices: all values, if they are counted.
    """

    place: type
    field: "Field[Any]"
    hint: Any
    option: Option
    kind: type
    many: tuple[type, ...]
    choices: Sequence[object]

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.field.default is self.field.default_factory is MISSING

    @property
    def help(self) -> str:
        """What it is, and the default."""
        shown, default = self.option.default, self.field.default
        if not shown and default is not MISSING and default not in (None, ()):
            many = default if isinstance(default, tuple) else (default,)
            shown = " ".join(f"{x:g}" if isinstance(x, float) else str(x) for x in many)
        if self.kind is bool:
            return self.option.help
        return self.option.help + (f" (default: {shown})" if shown else "")

    @property
    def parameter(self) -> Parameter:
        """The option as one of a function that takes keyword arguments alone."""
        default = Parameter.empty if self.required else self.field.default
        name, kind = self.field.name, Parameter.KEYWORD_ONLY
        return Parameter(name, kind, default=default, annotation=self.hint)

    def check(self, value: object) -> None:
        """Raise ``InputError`` unless the option can have this value."""
        name = self.field.name
        if value is None and self.field.default is None:
            return
        if self.many and not isinstance(value, self.many):
            raise InputError(
                f"{name} must be a list of {NAMES[self.kind][1]}; got {value!r}."
            )
        for one in cast("Iterable[object]", value) if self.many else [value]:
            if not self._is_value(one):
                each = f"each of {name}" if self.many else name
                raise InputError(f"{each} must be {self._rule}; got {one!r}.")

    def _is_value(self, value: object) -> bool:
        if self.choices:
            return value in self.choices
        types = {float: (int, float), Path: (str, Path)}.get(self.kind, self.kind)
        any_of = get_args(self.hint) if get_origin(self.hint) is UnionType else ()
        if type(value) not in any_of and not isinstance(value, types):
            return False
        if isinstance(value, bool | NoneType):
            return False
        least, most = self.option.least, self.option.most
        if not isinstance(value, int | float) or least is None:
            return True
        return value >= least and (most is None or value <= most)

    @property
    def _rule(self) -> str:
        if self.choices:
            return f"one of {', '.join(map(str, self.choices))}"
        least, most = self.option.least, self.option.most
        if least is None:
            return NAMES[self.kind][0]
        bounds = f">= {least:g}" if most is None else f"from {least:g} to {most:g}"
        return f"{NAMES[self.kind][0]} {bounds}"


class Options:
    """Base of dataclasses whose fields are options; made of good values alone.

    Raises:
        InputError: a value has another type, is out of range, or is no choice.
    """

    def __post_init__(self) -> None:
        for name, one in declared(type(self)).items():
            one.check(getattr(self, name))

    @classmethod
    def completed(cls, given: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the values that are given, and those that follow from them."""
        return given


def declared(kind: type) -> dict[str, Declared]:
    """Return the options of a dataclass by name: its fields that have an ``Option``.

    Its own come first, then those of its bases.
    """
    hints = get_type_hints(kind, include_extras=True)
    known = {field.name: field for field in fields(kind)}
    found: dict[str, Declared] = {}
    for place in kind.__mro__:
        for name in get_annotations(place):
            hint, *beside = get_args(hints[name]) or [None]
            for option in beside:
                if isinstance(option, Option) and name not in found:
                    shape = _shape(hint, option)
                    found[name] = Declared(place, known[name], hint, option, *shape)
    return found


def _shape(
    hint: Any,  # noqa: ANN401
    option: Option,
) -> tuple[type, tuple[type, ...], Sequence[object]]:
    """Return the kind, the types of a list and the choices that a type stands for."""
    if get_origin(hint) in (Union, UnionType):
        hint = [x for x in get_args(hint) if x is not NoneType][-1]
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return type(args[0]), (), args
    if origin in (list, Sequence):
        kind, _, choices = _shape(args[0], option)
        return kind, (list, tuple) if origin is Sequence else (list,), choices
    if hint is bool:
        return bool, (), (False, True)
    return origin or hint, (), option.argparse.get("choices", ())


def build[O: Options](kind: type[O], given: Mapping[str, Any]) -> O:
    """Return the options with the values that are given, and defaults.

    Raises:
        InputError: a name is unknown or missing, or a value is wrong.
    """
    known = declared(kind)
    for name in given:
        if name not in known:
            raise InputError(unknown("option", name, known))
    for name, one in known.items():
        if name in given:
            one.check(given[name])
        elif one.required:
            raise InputError(f"{name} is missing: {one.option.help}.")
        if (file := one.option.file) and given.get(name) is not None:
            given = {**read_yaml(file, Path(given[name])), **given}
    given = kind.completed(_found(known, given))
    return kind(**_found(known, given))  # what follows from a file must be found, too


def _found(known: Mapping[str, Declared], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values, those of options that are to be found as they are used."""
    return {
        name: _each(find, value) if (find := known[name].option.find) else value
        for name, value in given.items()
    }


def _each(find: Callable[[Any], object], value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, Mapping):
        return {key: find(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(find(one) for one in value)
    return value if value is None else find(value)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return what to say of a name that is not known.

    >>> unknown("option", "beams", ["beam", "tail"])
    "no option is called 'beams'; did you mean beam?"
    """
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}."
    return f"no {what} is called {name!r}; {hint}"


def read_yaml(kind: type[Options], path: Path) -> dict[str, Any]:
    """Return what a file of lines ``name: value`` says of the options of a dataclass.

    Raises:
        InputError: it is no such file, or a name is unknown.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InputError(f"{path}: a YAML file is needed; {error}.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise InputError(f"{path}: must hold lines 'name: value'; got {content!r}.")
    for name in content:
        if name not in declared(kind):
            raise InputError(f"{path}: {unknown('setting', str(name), declared(kind))}")
    return content


def part[O: Options](options: Options, kind: type[O]) -> O:
    """Return those of the options that a base of their class declares."""
    return kind(**{name: getattr(options, name) for name in declared(kind)})


def with_one_sign(word: str, sign: str) -> str:
    """Return a word of a command line with one of ``_`` and ``-`` in an option's name.

    >>> with_one_sign("--max_epoch=1_0", "-"), with_one_sign("a_b", "-")
    ('--max-epoch=1_0', 'a_b')
    """
    if not word.startswith("--"):
        return word
    name, equals, value = word[2:].partition("=")
    return f"--{re.sub('[_-]', sign, name)}{equals}{value}"


def as_words(options: Options) -> list[str]:
    """Return the options as words of a command line, those without a value left out."""
    words = []
    for name in declared(type(options)):
        value = getattr(options, name)
        if value is None or value is False or value in ((), [], {}):
            continue
        words.append(f"--{name.replace('_', '-')}")
        words += [] if value is True else _words(value)
    return words


def _words(value: object) -> list[str]:
    """Return a value as words: of a mapping ``NAME=VALUE`` or ``NAME=VALUE,VALUE``."""
    if isinstance(value, Mapping):
        return [f"{name}={','.join(_words(one))}" for name, one in value.items()]
    return list(map(str, value)) if isinstance(value, list | tuple) else [str(value)]


def function[**P, R](
    command: Callable[P, Callable[[], R]], name: str
) -> Callable[P, R]:
    """Return a command as a function of its options.

    Args:
        command: its class, whose docstring tells of the call.
        name: of the function.
    """
    kind = cast("Any", command)
    options = declared(kind)
    args = "\n".join(f"    {name}: {one.help}." for name, one in options.items())
    text, found, rest = cleandoc(kind.__doc__ or "").partition("\nReturns:")

    def call(*args: P.args, **given: P.kwargs) -> R:
        if args:
            raise InputError(f"{name} takes keyword arguments alone; got {args[0]!r}.")
        with named_extra(name):
            done: R = build(kind, given)()
        return done

    call.__name__ = call.__qualname__ = name
    call.__module__ = __package__  # whence it is imported
    call.__doc__ = f"{text}\nArgs:\n{args}\n{found}{rest}"
    call.__signature__ = Signature(  # type: ignore[attr-defined]
        [one.parameter for one in options.values()],
        # As it is written: its class may not be imported yet.
        return_annotation=get_annotations(kind.__call__)["return"],
    )
    return call
