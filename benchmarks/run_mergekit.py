"""Run ``mergekit-yaml CONFIG OUTPUT`` with its definition of Whisper mended.

The prefixes of its ``whisper.json`` lack a dot, so that it finds no tensor.
"""

import importlib.resources
import json

from mergekit._data import architectures
from mergekit.architecture import json_definitions
from mergekit.scripts.run_yaml import main


def mend() -> None:
    file = importlib.resources.files(architectures).joinpath("whisper.json")
    definition = json.loads(file.read_text())
    for module in definition["modules"].values():
        module["weight_prefix"] = module["weight_prefix"].rstrip(".") + "."
    mended = json_definitions._load_architecture_json(json.dumps(definition))
    for name in mended.architectures:
        json_definitions.NAME_TO_ARCH[name] = [mended]


if __name__ == "__main__":
    mend()
    main()
