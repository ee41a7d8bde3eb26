"""The one table of methods: module name = configuration = row in the results."""

from dataclasses import fields

from espnet_merge.html import html_table
from espnet_merge.methods._base import Method
from espnet_merge.methods.boosted_tsv_m import BoostedTsvM
from espnet_merge.methods.breadcrumbs import Breadcrumbs
from espnet_merge.methods.consensus import Consensus
from espnet_merge.methods.core_space import CoreSpace
from espnet_merge.methods.covariance import Covariance
from espnet_merge.methods.dare import Dare
from espnet_merge.methods.della import Della
from espnet_merge.methods.emr import Emr
from espnet_merge.methods.fisher import FisherMean
from espnet_merge.methods.iso_c import IsoC
from espnet_merge.methods.iso_cts import IsoCts
from espnet_merge.methods.karcher import Karcher
from espnet_merge.methods.knots import Knots
from espnet_merge.methods.lines import Lines
from espnet_merge.methods.lors import Lors
from espnet_merge.methods.model_stock import ModelStock
from espnet_merge.methods.multi_slerp import MultiSlerp
from espnet_merge.methods.nuslerp import NuSlerp
from espnet_merge.methods.pcb import Pcb
from espnet_merge.methods.ram import Ram
from espnet_merge.methods.regmean import RegMean
from espnet_merge.methods.sce import Sce
from espnet_merge.methods.selective_attention import SelectiveAttention
from espnet_merge.methods.slerp import Slerp
from espnet_merge.methods.soup import Soup
from espnet_merge.methods.svc import Svc
from espnet_merge.methods.task_arithmetic import TaskArithmetic
from espnet_merge.methods.ties import Ties
from espnet_merge.methods.tsv_m import TsvM
from espnet_merge.methods.wudi import Wudi


class Methods(dict[str, type[Method]]):
    """Name -> method; as text a line each: name, one sentence, defaults.

    Example:
        >>> import espnet_merge as em
        >>> em.METHODS["task_arithmetic"](scale=0.5)
        TaskArithmetic(scale=0.5, weights=None)
        >>> print(em.METHODS)  # doctest: +ELLIPSIS
        soup             Average the weights ...
    """

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """Name, sentence and defaults of each."""
        return [
            (name, (method.__doc__ or "").partition("\n")[0], _defaults(method))
            for name, method in self.items()
        ]

    def __repr__(self) -> str:
        return "\n".join(f"{name:16} {text} {rest}" for name, text, rest in self.rows)

    def _repr_html_(self) -> str:
        heads = ("method", "what it does", "defaults")
        return "\n".join(html_table([heads, *self.rows]))


def _defaults(method: type[Method]) -> str:
    """Return the parameters as they are written in YAML."""
    return " ".join(
        f"{field.name}={_shown(field.default)}"
        for field in fields(method)  # type: ignore[arg-type]
    )


def _shown(default: object) -> str:
    if default == ():
        return "[]"
    return "null" if default is None else str(default).lower()


METHODS = Methods(
    {
        "soup": Soup,
        "slerp": Slerp,
        "nuslerp": NuSlerp,
        "karcher": Karcher,
        "multi_slerp": MultiSlerp,
        "model_stock": ModelStock,
        "task_arithmetic": TaskArithmetic,
        "lines": Lines,
        "consensus": Consensus,
        "emr": Emr,
        "ties": Ties,
        "dare": Dare,
        "della": Della,
        "breadcrumbs": Breadcrumbs,
        "pcb": Pcb,
        "sce": Sce,
        "ram": Ram,
        "iso_c": IsoC,
        "iso_cts": IsoCts,
        "tsv_m": TsvM,
        "boosted_tsv_m": BoostedTsvM,
        "lors": Lors,
        "wudi": Wudi,
        "covariance": Covariance,
        "knots": Knots,
        "core_space": CoreSpace,
        "selective_attention": SelectiveAttention,
        "fisher": FisherMean,
        "regmean": RegMean,
    }
)

# What may follow any of them, as ``calibrate``.
STEPS: dict[str, type[Method]] = {"svc": Svc}
