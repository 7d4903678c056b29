"""Gaussian noise that spares the weights that outputs depend on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from genewright.edits import Edit, Map
from genewright.edits.functions import DividedNoise
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.weights.sensitivity import METHODS, sensitivities
from genewright.part import grid
from genewright.seeding import Noise
from genewright.settings import check_choice, check_fraction, check_integer, check_nonnegative, check_positive
from genewright.where import EVERYTHING, WhereSetting, as_where


@dataclass(frozen=True, kw_only=True)
class SafeGaussianNoise(Operator):
    """Add normal noise, less of it where the outputs on an example are more sensitive.

    w' = w + std * z / max(s, floor * mean s) with z ~ N(0, 1), and s how much the outputs move with w on the example,
    a batch of N samples; J_ik is the derivative of output k of sample i by w:

    | method | s |
    |---|---|
    | "sum" | SM-G-SUM: sqrt(sum_k (1/N sum_i J_ik)^2) |
    | "abs" | SM-G-ABS: sqrt(sum_k (1/N sum_i abs(J_ik))^2): samples that pull apart do not cancel |
    | "second_order" | SM-G-SO: sqrt(abs(H d)), H the Hessian of the outputs' mean squared change, d random signs |

    So `std` is about by how much one weight's noise moves the outputs. With more outputs than `probes`, random sums of
    them stand for all (Hutchinson's estimator: for "sum" right in the mean, for "abs" measured within 4 % of it, with a
    spread of an eighth for 32 probes; in a last linear layer exact for both). "abs" needs a backward pass for each
    sample and output, the others one an output or two in all. What was measured is kept for the two models that were
    mutated last, so that many seeds cost one measurement.

    A replay needs the same example; the recipe names it by its fingerprint. Derivatives are taken in float64, and 12
    bits of them count, so that they are the same on other machines; where a replay differs all the same, it says so.

    Args:
        std: Standard deviation of the noise in units of the outputs, at least 0.
        method: How sensitivity is measured, as above.
        rate: Share of the elements that change, in [0, 1].
        floor: No sensitivity counts as less than this share, in (0, 1], of the mean one: weights on which nothing
            depends, as those of dead units, would else go anywhere.
        probes: The most backward passes over outputs.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range.
        ExampleError: There is no example, or a checkpoint cannot be run.
        UnsupportedError: The outputs have no gradients.

    Example:
        >>> import torch, genewright as gw
        >>> net, x = torch.nn.Linear(2, 1, bias=False), torch.tensor([[1.0, 100.0], [1.0, 100.0]])
        >>> safe = gw.mutate(net, gw.SafeGaussianNoise(std=0.1), seed=1, example=x)
        >>> moved = (safe.weight - net.weight).abs().squeeze()
        >>> bool(moved[0] > 3 * moved[1])  # the second input is a hundred times larger
        True

    References:
        Lehman, Chen, Clune and Stanley, "Safe Mutations for Deep and Recurrent Neural Networks through Output
        Gradients", arXiv:1712.06563, section 4 (there with the sum over samples, and a floor of 0.01); Hutchinson, "A
        Stochastic Estimator of the Trace of the Influence Matrix", 1989.
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    std: float = field(default=0.01, kw_only=False)
    method: Literal["sum", "abs", "second_order"] = "sum"
    rate: float = 1.0
    floor: float = 0.01
    probes: int = 32
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_nonnegative(self, "std", self.std)
        check_choice(self, "method", self.method, METHODS)
        for name in ("rate", "floor"):
            check_fraction(self, name, getattr(self, name))
        check_positive(self, "floor", self.floor)
        check_integer(self, "probes", self.probes, low=1)
        for name in ("std", "rate", "floor"):
            object.__setattr__(self, name, float(getattr(self, name)))
        object.__setattr__(self, "where", as_where(self.where))

    def fits(self) -> bool:
        return True

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        chosen = self.where.select(network)
        names = tuple(selected.tensor.name for selected in chosen)
        found = sensitivities(network, names, self.method, self.probes, self.floor)
        for selected in chosen:
            name, shape = selected.tensor.name, selected.tensor.shape
            divisor = found[name].reshape(shape)[grid(selected.part, shape)].reshape(-1)
            function = DividedNoise(scale=self.std, divisor=divisor, rate=self.rate)
            yield Map(tensor=name, function=function, part=selected.part, stream=name)
