r"""Write README.md of a merged or trained model: the hub's model card.

It says what the model was made of, with digests, commits and licences, how, and with
--scores what was measured; with --baseline also what was forgotten. Every merge and
export has such a card without scores. Text around ours stays as it is.

For example:
  espnet-merge card exp/ties/model --scores exp/ties/inference_padded \
    --baseline exp/zero_shot/inference_padded
"""

from dataclasses import dataclass
from pathlib import Path

from espnet_merge.bin._card import Measured, Model


@dataclass(frozen=True, kw_only=True)
class Command(Measured):
    """Write the model card of a result."""

    model: Model

    def __call__(self) -> Path:
        """Write the card; return its path."""
        from espnet_merge.card.card import write_card
        from espnet_merge.card.provenance import name_of, read_provenance

        model = Path(self.model)
        made_of = read_provenance(model)
        evidence = self.evidence()
        self.write_benchmarks(evidence, model)
        return write_card(model, made_of, name_of(model), evidence, self.license)


def main(command: Command) -> None:
    """Write the card, and print its path."""
    print(command())
