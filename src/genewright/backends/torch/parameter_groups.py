"""Which optimizer, and which of its groups, a new parameter joins: that of its nearest neighbour of its kind."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Sequence
from typing import Protocol

import torch
from torch import nn

from genewright.backends.torch.network import TorchNetwork


class Holder(Protocol):
    """An optimizer, as far as it holds parameters in groups."""

    @property
    def takes_matrices_only(self) -> bool:
        """Whether it refuses parameters that are no matrices."""
        ...

    def group_of(self, parameter: torch.Tensor) -> int | None:
        """Return the number of the group that a parameter is in, or None."""
        ...


def places_of_new(
    model: nn.Module, old: Sequence[torch.Tensor], holders: Sequence[Holder]
) -> list[tuple[str, nn.Parameter, list[tuple[int, int]]]]:
    """Say where each new parameter of a model goes.

    A neighbour is an old parameter of the same role, number of axes and trainability; where there is none, of the same
    number of axes and trainability; the last one before the new parameter in the model's order, else the first one
    after it. The new one goes wherever that is: into its group of its optimizer, into both of two, or into none. So
    an optimizer of matrices gets matrices, and a group without weight decay the biases. Where the model had no
    parameter with so many axes, it goes to the nearest that is trained by an optimizer which takes it.

    Args:
        model: The model as it is now.
        old: The parameters that it had before.
        holders: The optimizers.

    Returns:
        For each new parameter its name, itself, and the places: numbers of an optimizer and of a group.
    """
    known = {id(parameter) for parameter in old}
    present = list(model.named_parameters())
    if all(id(parameter) in known for _, parameter in present):
        return []
    network = TorchNetwork(model)
    roles = {id(same): network.tensors[name].role for name, member in network.members.items() for same in member.same}

    def kinds(parameter: torch.Tensor) -> tuple[Hashable, ...]:
        rough = parameter.dim(), parameter.requires_grad
        return (roles.get(id(parameter)), *rough), rough

    def held(parameter: torch.Tensor) -> list[tuple[int, int]]:
        groups = [holder.group_of(parameter) for holder in holders]
        return [(number, group) for number, group in enumerate(groups) if group is not None]

    found: list[tuple[str, nn.Parameter, list[tuple[int, int]]]] = []
    nowhere: list[tuple[int, int]] = []
    for at, (name, parameter) in enumerate(present):
        if id(parameter) in known:
            continue
        order = sorted(range(len(present)), key=lambda other: (other > at, abs(other - at)))
        neighbours = [present[other][1] for other in order if id(present[other][1]) in known]
        alike = (
            next((one for one in neighbours if kinds(one)[depth] == kinds(parameter)[depth]), None) for depth in (0, 1)
        )
        nearest = next((one for one in alike if one is not None), None)
        if nearest is not None:
            found.append((name, parameter, held(nearest)))
            continue
        fitting = (_fitting(held(one), parameter, holders) for one in neighbours)
        found.append((name, parameter, next(filter(None, fitting), nowhere)))
    return found


def warn_of_untrained(found: Sequence[tuple[str, nn.Parameter, list[tuple[int, int]]]]) -> None:
    """Say which new parameters no optimizer takes, because their neighbours are in none."""
    left = [name for name, parameter, places in found if parameter.requires_grad and not places]
    if left:
        warnings.warn(
            f"No optimizer trains the new {', '.join(map(repr, left[:4]))}{' ...' if left[4:] else ''}: what is like "
            "them in the model is in none of those that optimizer= holds. Give the others too, as a list, or add them "
            "by optimizer.add_param_group.",
            stacklevel=2,
        )


def _fitting(
    places: list[tuple[int, int]], parameter: torch.Tensor, holders: Sequence[Holder]
) -> list[tuple[int, int]]:
    return [place for place in places if parameter.dim() == 2 or not holders[place[0]].takes_matrices_only]
