r"""Publish a merged or trained model on the hub, with its model card.

Refused, unless --despite says so: a model whose base and experts have licences that do
not go together, and one that the gate does not pass, that is, which is significantly
worse than --baseline somewhere, or was not tested. Nothing but the model, its records
and its card is sent. A new repository is private; log in with 'hf auth login' first.

For example:
  espnet-merge push exp/ties/model me/whisper-ties --scores exp/ties/inference_padded \
    --baseline exp/zero_shot/inference_padded
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from espnet_merge.bin._card import Measured, Model
from espnet_merge.errors import InputError
from espnet_merge.options import Option

if TYPE_CHECKING:
    from espnet_merge.card.provenance import Provenance
    from espnet_merge.card.scores import Evidence


@dataclass(frozen=True, kw_only=True)
class Command(Measured):
    """Publish a result on the hub."""

    model: Model
    repository: Annotated[
        str, Option("OWNER/NAME on the hub", positional=True, metavar="OWNER/NAME")
    ]
    public: Annotated[bool, Option("make a new repository public")] = False
    despite: Annotated[
        Sequence[Literal["gate", "licences"]],
        Option("publish although the gate or the licences speak against it"),
    ] = ()

    def __call__(self) -> str:
        """Check, write the card and publish; return the address."""
        from espnet_merge.card.card import write_card
        from espnet_merge.card.provenance import read_provenance
        from espnet_merge.card.push import push, with_licence

        model = Path(self.model)
        made_of = read_provenance(model)
        evidence = self.evidence()
        self._check_gate(evidence)
        base, *experts = map(with_licence, made_of.sources)
        made_of = replace(made_of, base=base, experts=experts)
        self._check_licences(made_of)
        name = self.repository.rpartition("/")[2]
        self.write_benchmarks(evidence, model)
        write_card(model, made_of, name, evidence, self.license)
        return push(model, self.repository, public=self.public)

    def _check_gate(self, evidence: "Evidence") -> None:
        if "gate" in self.despite:
            return
        if not evidence.tests:
            raise InputError(
                f"{self.model}: must pass the gate, and was not tested: give --scores "
                "and --baseline, or --despite gate."
            )
        if evidence.fallen:
            raise InputError(
                f"{self.model}: must pass the gate, and is significantly worse than "
                f"{self.baseline} in {len(evidence.fallen)} of {evidence.tests} tests, "
                f"first {evidence.fallen[0]}: mend it, allow a --margin, or say "
                "--despite gate."
            )

    def _check_licences(self, made_of: "Provenance") -> None:
        from espnet_merge.card.card import licence_of

        if self.license is None and "licences" not in self.despite:
            try:
                licence_of(made_of)
            except InputError as error:
                raise InputError(f"{error} Or say --despite licences.") from None


def main(command: Command) -> None:
    """Publish, and print the address."""
    print(command())
