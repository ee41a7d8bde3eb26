"""One speech model out of many experts: merge, route or train jointly.

The commands of ``espnet-merge`` as functions, whose options are keyword arguments::

    import espnet_merge as em

    em.fetch(source="base", output="exp/base")
    em.METHODS
    em.inspect(base="exp/base", experts=["exp/es", "exp/it"])
    em.merge(method="tsv_m", base="exp/base", experts=["exp/es", "exp/it"],
             output="exp/tsv_m")
    em.decode(model="exp/tsv_m", data=["dump/raw/es_test"], output=["exp/es_test"])
    em.score(ref="dump/raw/es_test", hyp=["exp/es_test"])
    em.export(source="exp/tsv_m", to="ggml", output="exp/ggml")

Paths are strings or ``Path``. Each function tells of itself: ``help(em.merge)``. A
mistake of the user's is an ``em.InputError``, one line long; what is taken, and may not
be meant, an ``em.InputWarning``. A name is imported when it is first asked for.
"""

from typing import TYPE_CHECKING

from espnet_merge.version import __version__ as __version__

__all__ = [
    "METHODS",
    "InputError",
    "InputWarning",
    "advise",
    "decode",
    "export",
    "fetch",
    "inspect",
    "learn",
    "merge",
    "score",
    "search",
]

if TYPE_CHECKING:
    from espnet_merge.bin.advise import advise
    from espnet_merge.bin.decode import decode
    from espnet_merge.bin.export import export
    from espnet_merge.bin.fetch import fetch
    from espnet_merge.bin.inspect import inspect
    from espnet_merge.bin.learn import learn
    from espnet_merge.bin.merge import merge
    from espnet_merge.bin.score import score
    from espnet_merge.bin.search import search
    from espnet_merge.errors import InputError, InputWarning
    from espnet_merge.methods import METHODS
else:
    import sys
    from types import ModuleType

    class _Package(ModuleType):
        """Keeps ``decode``, ``export``, ``score`` and ``search`` the functions.

        Python sets an imported subpackage as an attribute of its package. Four
        subpackages have the name of a function; ``from espnet_merge.decode import
        settings`` finds them all the same.
        """

        def __setattr__(self, name: str, value: object) -> None:
            if name not in __all__ or not isinstance(value, ModuleType):
                super().__setattr__(name, value)

    sys.modules[__name__].__class__ = _Package
    _OTHERS = {"METHODS": "methods", "InputError": "errors", "InputWarning": "errors"}

    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        place = _OTHERS.get(name, f"bin.{name}")
        return getattr(import_module(f"{__name__}.{place}"), name)

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
