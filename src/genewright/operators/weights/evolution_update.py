"""The update of an evolution strategy, told by seeds and weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal

from genewright.edits import Accumulate, Edit, Map
from genewright.edits.functions.ascend import Ascend
from genewright.edits.functions.ascend import Moments as Moments
from genewright.edits.map import Given
from genewright.errors import SettingError
from genewright.network import Network
from genewright.operator import Operator
from genewright.operators.weights.evolution_noise import EvolutionNoise, check_kind
from genewright.operators.weights.low_rank_noise import is_matrix
from genewright.operators.weights.noisy import ROUNDING
from genewright.packed import packed, unpacked
from genewright.part import Part
from genewright.seeding import Noise
from genewright.settings import check_choice, check_nonnegative
from genewright.where import EVERYTHING, WhereSetting, as_where

OPTIMIZERS = ("sgd", "momentum", "adam")


@dataclass(frozen=True, kw_only=True)
class EvolutionUpdate(Operator):
    """Step along the weighted sum of the noise that the members of a generation were perturbed by.

    w' = w + learning_rate * (step - weight_decay * w), where step is made of g = sum_i weights[i] * z(seeds[i]) by the
    optimizer, and z(seed) is what `EvolutionNoise` draws of that seed. "sgd": step = g. "momentum": step = m with
    m = beta1 m + (1 - beta1) g. "adam": m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon), with
    v = beta2 v + (1 - beta2) g^2. Several generations are several steps, so a whole run of an evolution strategy is one
    operator of 16 bytes a member. The sum g is made in float32 (float64 for float64), in order, in one pass over the
    weights; they are rounded once a step, and those of bfloat16 stochastically: to nearest, they would drop what is
    under about 0.2 % of their size.

    Args:
        seeds: The members' seeds, ints from 0 to 2**64 - 1.
        weights: A number for each seed; with the fitnesses' ranks in it, g is an estimate of the fitness's gradient.
        sizes: How many members each generation has, in order; empty for one generation of all.
        optimizer: "sgd", "momentum" or "adam".
        learning_rate: Factor of the step, at least 0.
        beta1: Decay of the mean of gradients, in [0, 1).
        beta2: Decay of the mean of their squares, in [0, 1).
        epsilon: What Adam adds to the root, at least 0.
        weight_decay: At least 0.
        rate: The `rate` of the members' `EvolutionNoise`.
        rank: Its `rank`.
        rounding: "nearest" or "stochastic" for float16 and bfloat16; None for nearest, and stochastic for bfloat16.
        where: Which tensors and units; all trainable ones by default.

    Raises:
        SettingError: A setting is out of its range, or the numbers of seeds, weights and sizes do not agree.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 2).double()
        >>> there = gw.mutate(net, gw.EvolutionNoise(std=0.5), seed=7)
        >>> update = gw.EvolutionUpdate(seeds=(7,), weights=(0.5,))
        >>> torch.allclose(gw.mutate(net, update, seed=1).weight, there.weight)
        True

    References:
        Salimans et al., "Evolution Strategies as a Scalable Alternative to Reinforcement Learning", arXiv:1703.03864,
        algorithm 2; Kingma and Ba, "Adam", arXiv:1412.6980, algorithm 1.
    """

    version: ClassVar[int] = 2
    keeps: ClassVar[frozenset[str]] = frozenset({"shape"})

    seeds: tuple[int, ...] = (1,)
    weights: tuple[float, ...] = (0.01,)
    sizes: tuple[int, ...] = ()
    optimizer: Literal["sgd", "momentum", "adam"] = "sgd"
    learning_rate: float = 1.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0
    rate: float = 1.0
    rank: int | None = None
    rounding: Literal["nearest", "stochastic"] | None = None
    where: WhereSetting = field(default_factory=EVERYTHING)

    def __post_init__(self) -> None:
        who = type(self).__name__
        object.__setattr__(self, "seeds", unpacked(who, "seeds", self.seeds, "u8"))
        object.__setattr__(self, "weights", unpacked(who, "weights", self.weights, "f8"))
        object.__setattr__(self, "sizes", unpacked(who, "sizes", self.sizes, "u8"))
        check_choice(self, "optimizer", self.optimizer, OPTIMIZERS)
        for name in ("learning_rate", "beta1", "beta2", "epsilon", "weight_decay"):
            check_nonnegative(self, name, getattr(self, name))
            object.__setattr__(self, name, float(getattr(self, name)))
        check_kind(self, self.rate, self.rank)
        if self.rounding is not None:
            check_choice(self, "rounding", self.rounding, ROUNDING)
        if not self.beta1 < 1 or not self.beta2 < 1:
            raise SettingError(f"{who}: beta1 and beta2 must be below 1; received {self.beta1} and {self.beta2}.")
        if len(self.seeds) != len(self.weights) or not self.seeds:
            raise SettingError(
                f"{who}: each seed needs a weight, and one is the least; received {len(self.seeds)} seeds and "
                f"{len(self.weights)} weights."
            )
        if self.sizes and sum(self.sizes) != len(self.seeds):
            raise SettingError(f"{who}: sizes add up to {sum(self.sizes)}, and there are {len(self.seeds)} seeds.")
        object.__setattr__(self, "where", as_where(self.where))

    @property
    def moving(self) -> bool:
        """Whether the optimizer has moments, which a next update goes on with."""
        return self.optimizer != "sgd"

    def settings(self) -> dict[str, Any]:
        """Return every setting; seeds and weights as texts of eight bytes a number."""
        rest = super(EvolutionUpdate, replace(self, seeds=(1,), weights=(0.0,), sizes=())).settings()
        sizes = list(self.sizes)
        return {**rest, "seeds": packed(self.seeds, "u8"), "weights": packed(self.weights, "f8"), "sizes": sizes}

    def generations(self) -> list[list[tuple[int, float]]]:
        """Return the members, (seed, weight), of every generation."""
        members = list(zip(self.seeds, self.weights, strict=True))
        ends = [sum(self.sizes[: at + 1]) for at in range(len(self.sizes))] or [len(members)]
        return [members[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def then(self, other: EvolutionUpdate) -> EvolutionUpdate:
        """Return the update that is this one and then another one of the same settings, with its moments."""
        sizes = (*(self.sizes or (len(self.seeds),)), *(other.sizes or (len(other.seeds),)))
        seeds, weights = (*self.seeds, *other.seeds), (*self.weights, *other.weights)
        return replace(other, seeds=seeds, weights=weights, sizes=sizes)

    def after(self, start: Moments | None) -> tuple[EvolutionUpdate, Moments]:
        """Return this update as it goes on with moments, and where it will leave its own; neither is a setting."""
        end = Moments()
        made = replace(self)
        object.__setattr__(made, "_moments", (start, end))
        return made, end

    def propose(self, networks: tuple[Network, ...], noise: Noise) -> Iterator[Edit]:
        for selected in self.where.select(networks[0]):
            tensor = selected.tensor
            rank = self.rank if self.rank is not None and is_matrix(self, tensor, self.rank) else 0
            rounding = self.rounding or ("stochastic" if tensor.dtype == "bfloat16" else "nearest")
            yield from (self._moved if self.moving else self._added)(tensor.name, rank, rounding, selected.part)

    def _added(self, tensor: str, rank: int, rounding: str, part: Part) -> Iterator[Edit]:
        for members in self.generations():
            yield Accumulate(
                tensor=tensor,
                members=[[seed, self.learning_rate * weight] for seed, weight in members],
                salt=EvolutionNoise.name,
                noise_rate=self.rate,
                rank=rank,
                decay=self.learning_rate * self.weight_decay,
                rounding=rounding,
                part=part,
            )

    def _moved(self, tensor: str, rank: int, rounding: str, part: Part) -> Iterator[Edit]:
        moments = self.__dict__.get("_moments")
        function = (Ascend if moments is None else _Continued)(
            generations=[[list(member) for member in members] for members in self.generations()],
            salt=EvolutionNoise.name,
            optimizer=self.optimizer,
            rate=self.learning_rate,
            decays=[self.beta1, self.beta2],
            epsilon=self.epsilon,
            decay=self.weight_decay,
            noise_rate=self.rate,
            rank=rank,
            rounding=rounding,
        )
        if moments is not None:
            object.__setattr__(function, "moments", moments)
        yield Map(tensor=tensor, function=function, part=part)


class _Continued(Ascend):
    """The same steps, as they go on with moments that somebody keeps."""

    def __call__(self, values: Any, given: Given) -> Any:
        start, end = self.__dict__["moments"]
        return self.ascended(values, given, start, end)
