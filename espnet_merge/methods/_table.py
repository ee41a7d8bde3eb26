"""The one table of methods: module name = configuration = row in the results."""

from espnet_merge.methods._base import Method
from espnet_merge.methods.lors import Lors
from espnet_merge.methods.soup import Soup
from espnet_merge.methods.task_arithmetic import TaskArithmetic
from espnet_merge.methods.ties import Ties
from espnet_merge.methods.tsv_m import TsvM

METHODS: dict[str, type[Method]] = {
    "soup": Soup,
    "task_arithmetic": TaskArithmetic,
    "ties": Ties,
    "tsv_m": TsvM,
    "lors": Lors,
}
