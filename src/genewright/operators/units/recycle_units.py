"""Recycling of dormant units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar

from genewright.edits import Edit, Perturb
from genewright.edits.forget import Forget
from genewright.errors import SelectionError, UnsupportedError
from genewright.network import Network
from genewright.noise import Change
from genewright.operator import Operator
from genewright.operators.architecture.importance import on_example
from genewright.operators.units.hidden_widths import ZERO, hidden_units, part_of, refuse_frozen
from genewright.seeding import Noise
from genewright.settings import check_nonnegative
from genewright.where import EVERYTHING, WhereSetting, as_where
from genewright.widths.knob import Knob, Place

_OWN = ("statistic", "buffer")


@dataclass(frozen=True, kw_only=True)
class RecycleUnits(Operator):
    """Let units start again: fresh incoming weights, and outgoing weights of zero, so that they disturb nothing.

    row' = a draw from the initial distribution, bias' likewise, and column' = 0 in every reader.

    The unit's rows and bias are drawn as its layer draws them at first; the gain and shift of a norm behind it start at
    1 and 0 (running statistics stay, and follow in training). Its columns in every layer that reads it become zero:
    outputs change only by what the unit gave before, which of a dormant unit is nothing. What an optimizer holds of all
    these weights starts again, too, when it is given (``optimizer=``, in place): first moments at zero, second moments
    at the mean of the tensor's others, since from zero Adam's first steps would be too large.

    Args:
        threshold: Where `where` names no units: those are recycled whose dormancy on the example, the mean of |value|
            over the layer's mean of that, is at most this (tau in the paper); 0 for units that never put out anything.
        where: Which layers, by their kernels, or which units: ``gw.where(units=table.mask())``. Hidden units alone.

    Raises:
        SettingError: A setting is out of its range.
        SelectionError: No unit is so dormant, or `where` chooses no hidden unit.
        UnsupportedError: A tensor of the units is frozen, or its initialisation is not known.
        ExampleError: There is no example.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
        >>> with torch.no_grad():
        ...     net[0].bias[3] = -100.0  # it never puts out anything
        >>> data = torch.randn(64, 4)
        >>> alive = gw.mutate(net, gw.RecycleUnits(where="0"), seed=1, example=data)
        >>> bool(alive[0].bias[3] > -1) and torch.equal(alive(data), net(data))
        True

    References:
        Sokar et al., "The Dormant Neuron Phenomenon in Deep Reinforcement Learning", arXiv:2302.12902, section 4,
        algorithm 1 (ReDo).
    """

    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})
    follows_units: ClassVar[bool] = True

    threshold: float = field(default=0.0, kw_only=False)
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        check_nonnegative(self, "threshold", self.threshold)
        object.__setattr__(self, "threshold", float(self.threshold))
        object.__setattr__(self, "where", as_where(self.where))

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        network = networks[0]
        found = hidden_units(self.where, network, "RecycleUnits")
        if not self.where.units:
            found = [(knob, self._dormant(knob, units, network, noise)) for knob, units in found]
        if not any(units for _, units in found):
            raise SelectionError(
                f"RecycleUnits: no unit has a dormancy of at most {self.threshold:g} on this example. Raise threshold, "
                "or name the units: where=gw.where(units=...)."
            )
        for knob, units in found:
            for place in knob.places if units else ():
                yield from self._started(knob, place, units, network)

    def _dormant(self, knob: Knob, units: tuple[int, ...], network: Network, noise: Noise) -> tuple[int, ...]:
        values = on_example("dormancy", knob, network, noise, "RecycleUnits")
        return tuple(unit for unit in units if values[unit] <= self.threshold)

    def _started(self, knob: Knob, place: Place, units: tuple[int, ...], network: Network) -> Iterator[Edit]:
        tensor = network.tensor(place.tensor)
        if tensor.role in _OWN:
            return
        refuse_frozen(tensor.name, self.where, network, "RecycleUnits")
        part, change = part_of(knob, place, units), ZERO
        if "reader" not in place.roles:
            initial = network.initial(tensor.name)
            if initial is None:
                raise UnsupportedError(
                    f"RecycleUnits: {tensor.name!r}: how its layer ({tensor.layer_type or 'of a file'}) draws it at "
                    f"first is not known. Leave its units out: where=('*', '!{tensor.layer}')."
                )
            change = Change(combine="replace", distribution=initial.distribution, scale=initial.scale)
        yield Perturb(tensor=tensor.name, change=change, stream=f"{tensor.name}:{place.axis}", part=part)
        yield Forget(tensor=tensor.name, part=part)
