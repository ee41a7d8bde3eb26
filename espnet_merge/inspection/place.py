"""The place of a tensor in the network, and short names of experts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from espnet_merge.checkpoint.hub_names import name_of
from espnet_merge.checkpoint.roles import Role, layer_of, role_of

OUTSIDE = "outside the layers"
ROLES = ("linear", "norm", "bias", "conv", "embedding", "other")


class Place(NamedTuple):
    """Tensors that are measured together.

    Args:
        stack: Name of the stack of layers, such as encoder.layers.
        layer: Number of the layer in it; None outside the layers.
        role: What the tensors do.
        part: A weight matrix in the layer by its name, such as fc1; elsewhere the role.
    """

    stack: str
    layer: int | None
    role: Role
    part: str

    @property
    def order(self) -> tuple[Any, ...]:
        """Sorts as data flows: encoder, decoder, what is outside; weights first."""
        outside, decoder = self.stack == OUTSIDE, "decoder" in self.stack
        layer = -1 if self.layer is None else self.layer
        role = ROLES.index(self.role)
        return outside, decoder, self.stack, layer, role, self.part


def place_of(name: str, shape: tuple[int, ...]) -> Place:
    """Return the place of the tensor ``name``.

    Example:
        >>> place_of("model.encoder.layers.3.fc1.weight", (512, 2048))
        Place(stack='encoder.layers', layer=3, role='linear', part='fc1')
        >>> place_of("model.decoder.embed_tokens.weight", (51865, 512)).stack
        'outside the layers'
    """
    stack, layer = layer_of(name)
    role = role_of(name, shape)
    if layer is None:
        return Place(OUTSIDE, None, role, role)
    inside = name.removeprefix(f"{stack}.{layer}.").removesuffix(".weight")
    part = inside if role == "linear" else role
    return Place(stack.removeprefix("model."), layer, role, part)


def labels(paths: Sequence[Path]) -> list[str]:
    """Return short names of paths: without what all of them have in common.

    Example:
        >>> labels([Path("exp/full_es/model"), Path("exp/full_it/model")])
        ['full_es', 'full_it']
        >>> labels([Path("exp/full_es/model")])
        ['full_es/model']
    """
    paths = [Path(name_of(path, digits=8)) for path in paths]
    if len(set(paths)) == 1:
        return ["/".join(path.parts[-2:]) for path in paths]
    parts = [list(path.parts) for path in paths]
    for end in (-1, 0):
        while min(map(len, parts)) > 1 and len({part[end] for part in parts}) == 1:
            for part in parts:
                del part[end]
    return ["/".join(part) for part in parts]
