"""Alignment of units to another network's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from genewright.edits import Edit
from genewright.errors import SelectionError
from genewright.index import Index
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.architecture.gather_units import gather
from genewright.operators.sharing.activation_matching import match_activations
from genewright.operators.sharing.forms import refuse_other_form
from genewright.operators.sharing.matching import Orders, match_weights, permutable
from genewright.references import MATE, DonorSetting, as_donor
from genewright.seeding import Noise
from genewright.settings import check_choice

BY = ("weights", "activations")


@dataclass(frozen=True, kw_only=True)
class AlignTo(Operator):
    """Permute the units of every width so that they match those of another network; the function stays.

    W' = P W Q^T for every weight, with the permutation P of the width of its rows and Q of that of its columns.

    A width's permutation acts in every tensor in which the width stands (`gw.knobs`): rows, biases, gains and
    statistics of what writes it, columns of what reads it; heads of an attention and the units of a head likewise. So
    the network computes what it did. Two networks that were trained apart have the same units in different places;
    aligned, their weights can be averaged or crossed.

    Which unit matches which is found by linear assignment:

    | by | the permutation P of a width makes largest |
    |---|---|
    | "weights" | sum over tensors of <W_other, P W>, for one width after the other until none gains |
    | "activations" | sum over units of the correlation of their activations on the example, a batch of real data |

    Widths whose units put out nothing that can be seen, as inside attention scores, go by weights in either case.

    Args:
        donor: The other network, as a model, a state dict, a path, or a name in ``donors={...}``, which is only read.
        by: "weights" or "activations".

    Raises:
        UnsupportedError: The other network has another form (the first difference is named), or does not run.
        SelectionError: The network has no width whose units may change places.
        ExampleError: There is no example.
        MissingExtraError: scipy is not installed.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> other = gw.mutate(net, gw.GaussianNoise(std=0.001), seed=1)
        >>> shuffled = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> order = torch.randperm(8)
        >>> with torch.no_grad():
        ...     _ = shuffled[0].weight.copy_(net[0].weight[order]), shuffled[0].bias.copy_(net[0].bias[order])
        ...     _ = shuffled[2].weight.copy_(net[2].weight[:, order]), shuffled[2].bias.copy_(net[2].bias)
        >>> x, donors = torch.zeros(1, 4), {"other": other}
        >>> aligned = gw.mutate(shuffled, gw.AlignTo("other"), seed=1, example=x, donors=donors)
        >>> torch.equal(aligned[0].weight, net[0].weight)
        True

    References:
        Ainsworth, Hayase and Srinivasa, "Git Re-Basin: Merging Models modulo Permutation Symmetries", arXiv:2209.04836,
        sections 3.1 (activations) and 3.2 with algorithm 1 (weights).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape", "function"})

    donor: DonorSetting = field(default=MATE, kw_only=False)
    by: Literal["weights", "activations"] = "weights"

    def __post_init__(self) -> None:
        object.__setattr__(self, "donor", as_donor(self, "donor", self.donor))
        check_choice(self, "by", self.by, BY)

    def donors(self) -> tuple[str, ...]:
        return (self.donor,)

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network, other = networks
        orders = matched("AlignTo", self.donor, network, fixed=other, moved=network, by=self.by, noise=noise)
        for knob, order in orders.items():
            yield gather(knob, Index.of(order))


def matched(
    operator: str, name: str, network: Network, *, fixed: Network, moved: Network, by: str, noise: Noise
) -> Orders:
    """Return the orders of `moved`'s units that match those of `fixed`, for each width of `network`.

    Args:
        operator: Who asks, for messages.
        name: The donor's name.
        network: The one of the two whose widths are known.
        fixed: The network that stays.
        moved: The network whose units are permuted.
        by: "weights" or "activations".
        noise: The operator's noise.

    Raises:
        UnsupportedError: The two have different forms.
        SelectionError: No width's units may change places.
    """
    knobs = permutable(network)
    if not knobs:
        raise SelectionError(
            f"{operator}: no width of this network has units that may change places. gw.knobs(model, example) says why."
        )
    donor = fixed if moved is network else moved
    held = [network.tensor(t) for t in dict.fromkeys(place.tensor for knob in knobs for place in knob.places)]
    refuse_other_form(operator, held, donor, name, "Units can be matched only between networks of one form.")
    seen = match_activations(knobs, fixed, moved, noise) if by == "activations" else {}
    orders = match_weights(knobs, fixed, moved, noise, known=seen)
    return {knob: orders.get(knob, np.arange(knob.size)) for knob in knobs}
