"""Check the installation, and name each missing piece with its remedy.

The exit status is 2 if a required piece is missing or has the wrong version.

For example:
  espnet-merge doctor
"""

from dataclasses import dataclass
from typing import Annotated

from espnet_merge.errors import InputError
from espnet_merge.installation import check_all
from espnet_merge.options import Option, Options


@dataclass(frozen=True, kw_only=True)
class Command(Options):
    """Check the installation."""

    full: Annotated[
        bool,
        Option("also import the large packages and count the GPUs (half a minute)"),
    ] = False

    def __call__(self) -> None:
        """Print one line for each piece.

        Raises:
            InputError: a required piece is missing or has the wrong version.
        """
        problems = []
        for finding in check_all(full=self.full):
            print(finding, flush=True)
            if finding.is_problem:
                problems.append(finding.name)
        if problems:
            raise InputError(
                f"every required piece must be present; {len(problems)} missing or "
                f"wrong: {', '.join(problems)}; follow the remedies above, `make "
                "setup` does most of them."
            )


def main(command: Command) -> None:
    """Check and print."""
    command()
