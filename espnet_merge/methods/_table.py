"""The one table of methods: module name = configuration = row in the results."""

from espnet_merge.methods._base import Method
from espnet_merge.methods.boosted_tsv_m import BoostedTsvM
from espnet_merge.methods.breadcrumbs import Breadcrumbs
from espnet_merge.methods.consensus import Consensus
from espnet_merge.methods.core_space import CoreSpace
from espnet_merge.methods.dare import Dare
from espnet_merge.methods.della import Della
from espnet_merge.methods.fisher import FisherMean
from espnet_merge.methods.iso_c import IsoC
from espnet_merge.methods.iso_cts import IsoCts
from espnet_merge.methods.karcher import Karcher
from espnet_merge.methods.knots import Knots
from espnet_merge.methods.lines import Lines
from espnet_merge.methods.lors import Lors
from espnet_merge.methods.model_stock import ModelStock
from espnet_merge.methods.multi_slerp import MultiSlerp
from espnet_merge.methods.pcb import Pcb
from espnet_merge.methods.regmean import RegMean
from espnet_merge.methods.sce import Sce
from espnet_merge.methods.selective_attention import SelectiveAttention
from espnet_merge.methods.slerp import Slerp
from espnet_merge.methods.soup import Soup
from espnet_merge.methods.task_arithmetic import TaskArithmetic
from espnet_merge.methods.ties import Ties
from espnet_merge.methods.tsv_m import TsvM
from espnet_merge.methods.wudi import Wudi

METHODS: dict[str, type[Method]] = {
    "soup": Soup,
    "slerp": Slerp,
    "karcher": Karcher,
    "multi_slerp": MultiSlerp,
    "model_stock": ModelStock,
    "task_arithmetic": TaskArithmetic,
    "lines": Lines,
    "consensus": Consensus,
    "ties": Ties,
    "dare": Dare,
    "della": Della,
    "breadcrumbs": Breadcrumbs,
    "pcb": Pcb,
    "sce": Sce,
    "iso_c": IsoC,
    "iso_cts": IsoCts,
    "tsv_m": TsvM,
    "boosted_tsv_m": BoostedTsvM,
    "lors": Lors,
    "wudi": Wudi,
    "knots": Knots,
    "core_space": CoreSpace,
    "selective_attention": SelectiveAttention,
    "fisher": FisherMean,
    "regmean": RegMean,
}
