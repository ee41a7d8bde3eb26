"""List the merge methods: name, one sentence, parameters with their defaults.

For example:
  espnet-merge methods
"""

from dataclasses import dataclass

from espnet_merge.options import Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """List the merge methods."""

    def __call__(self) -> str:
        """Return one line for each method."""
        from espnet_merge.methods import METHODS

        return str(METHODS)


def main(command: Command) -> None:
    """Print one line for each method."""
    print(command())
