"""FaultRate: which share of all faults does harm, and where those are."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from genewright.errors import RecipeError, SettingError
from genewright.evolution.frame import as_frame
from genewright.mutate import mutate
from genewright.mutation_testing.fault_groups import groups_of_faults
from genewright.mutation_testing.fault_population import GROUPS, FaultTensor, Group
from genewright.mutation_testing.fault_record import Effect, Faults
from genewright.mutation_testing.fault_share import FaultShare
from genewright.mutation_testing.fault_text import bars_of_letters, drawn
from genewright.operator import AnyOperator, operator_from_json
from genewright.operators.weights.fault_at import FaultAt
from genewright.showing import Shown, fragment, more_line
from genewright.storage import Overwrite, read_file, write_atomically

FORMAT = 1
_EVENTS = {"failed": (2, 3, 4), "changed": (2,), "nonfinite": (3,), "crashed": (4,), "masked": (0,), "tolerated": (1,)}


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FaultRate(Shown):
    """Which share of all single faults does harm, estimated from some of them.

    Attributes:
        faults: Those that were injected.
        tensors: What the population is made of.
        alpha: The error of every interval here: the share of 1 - confidence that the look had at which the run ended.
        margin: What half the width of the interval was to be.
        confidence: Of the run, over all its looks.
        looks: How many faults were to be done at each look.
        operator: What a fault is.
        seed: The seed, as JSON holds it.
        model: Fingerprint of the model.
        samples: How many samples the data has.
        score: The original's mean score on them: accuracy, or minus the mean squared error.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> data = torch.randn(20, 4), torch.randint(0, 3, (20,))
        >>> rate = gw.fault_rate(net, data, gw.BitFlip(count=1), margin=0.1, confidence=0.9, seed=1)
        >>> rate.low <= rate.share <= rate.high, rate.population
        (True, 2144)
    """

    made_by = "gw.fault_rate(model, ...)"
    faults: Faults
    tensors: tuple[FaultTensor, ...]
    alpha: float
    margin: float
    confidence: float
    looks: tuple[int, ...]
    operator: AnyOperator
    seed: Any
    model: str
    samples: int
    score: float

    @property
    def population(self) -> int:
        """How many different faults there are."""
        return sum(tensor.size for tensor in self.tensors)

    @property
    def rate(self) -> FaultShare:
        """The share of faults that change a prediction, make an output NaN or infinite, or raise."""
        return self.of("failed")

    @property
    def share(self) -> float:
        """The share among the faults that were injected."""
        return self.rate.failed / len(self.faults)

    @property
    def low(self) -> float:
        """Lower bound of the share among all faults."""
        return self.rate.low

    @property
    def high(self) -> float:
        """Upper bound of the share among all faults."""
        return self.rate.high

    def of(self, event: Literal["failed", "changed", "nonfinite", "crashed", "masked", "tolerated"]) -> FaultShare:
        """Return the share of faults with which something happens.

        Args:
            event: An effect, or "failed" for any of changed, nonfinite and crashed.
        """
        return self._share(self._happens(event), np.ones(len(self.faults), np.bool_), self.population)

    def dropped(self, points: float) -> FaultShare:
        """Return the share of faults that cost more than so many points of score, or all of it.

        Args:
            points: Percentage points of accuracy; of values, hundredths of the mean squared error.
        """
        drop = self.faults.drop
        harmed = ~np.isfinite(drop) | (drop > points / 100)
        return self._share(harmed, np.ones(len(drop), np.bool_), self.population)

    def by(self, what: Group, event: Literal["failed", "changed", "nonfinite"] = "failed") -> dict[str, FaultShare]:
        """Return the share of each group of faults, with an interval for the group's own population.

        Each interval errs with probability `alpha` by itself; they are not corrected for their number.

        Args:
            what: "bit" by the position of the bit (of each dtype, where there are several), "field" by sign, exponent
                and mantissa, "unit" by the unit whose weights and bias are hit, "tensor", "layer".
            event: As in `of`.

        Raises:
            SettingError: There is no such group, or the operator does not act on bits.
        """
        if what not in GROUPS:
            raise SettingError(f"by: groups are {', '.join(GROUPS)}; received {what!r}.")
        happens = self._happens(event)
        labels, sizes = groups_of_faults(self.tensors, self.faults, what, type(self.operator).__name__)
        return {label: self._share(happens, labels == at, size) for at, (label, size) in enumerate(sizes.items())}

    def outcomes(self) -> dict[Effect, int]:
        """Return how many of the injected faults had each effect."""
        return {effect: int((self.faults.effect == effect).sum()) for effect in Effect}

    def worst(self, number: int = 10) -> list[int]:
        """Return the places of the faults that did most harm: those that change most predictions first."""
        order = np.lexsort((self.faults.place, -self.faults.changed, -self.faults.effect))
        return self.faults.place[order[:number]].tolist()

    def mutant(self, place: int, model: Any) -> Any:
        """Return a copy of a model with one fault; its recipe makes it again.

        Args:
            place: The fault's place, as in `faults.place` or `worst`.
            model: The model, as it was injected into.
        """
        return mutate(model, FaultAt(operator=self.operator, place=int(place)), seed=self.seed)

    def to_json(self) -> str:
        """Return it as JSON."""
        form = {
            "genewright_fault_rate": FORMAT,
            "operator": self.operator.to_json(),
            "seed": self.seed,
            "model": self.model,
            "samples": self.samples,
            "score": self.score,
            "margin": self.margin,
            "confidence": self.confidence,
            "alpha": self.alpha,
            "looks": list(self.looks),
            "tensors": [dataclasses.asdict(tensor) for tensor in self.tensors],
            "rate": {**dataclasses.asdict(self.rate), "share": self.share},
            "outcomes": {effect.name.lower(): number for effect, number in self.outcomes().items()},
            "faults": self.faults.to_json(),
        }
        return json.dumps(form)

    @classmethod
    def from_json(cls, text: str | bytes) -> FaultRate:
        """Read what `to_json` wrote.

        Raises:
            RecipeError: It is damaged, or no fault rate.
        """
        try:
            form = cast("dict[str, Any]", json.loads(text))
            if form["genewright_fault_rate"] != FORMAT:
                raise RecipeError(f"A fault rate of format {form['genewright_fault_rate']!r}; this one reads {FORMAT}.")
            return cls(
                faults=Faults.from_json(form["faults"]),
                tensors=tuple(FaultTensor.from_json(one) for one in form["tensors"]),
                alpha=float(form["alpha"]),
                margin=float(form["margin"]),
                confidence=float(form["confidence"]),
                looks=tuple(form["looks"]),
                operator=operator_from_json(form["operator"]),
                seed=form["seed"],
                model=str(form["model"]),
                samples=int(form["samples"]),
                score=float(form["score"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise RecipeError(f"This is not a fault rate, or it is damaged: {error!r}.") from None

    def save(self, path: str | Path, *, overwrite: Overwrite = False) -> None:
        """Write it to a file of JSON, atomically.

        Raises:
            FileError: The file exists and `overwrite` is false, or it cannot be written.
        """
        write_atomically(Path(path), [self.to_json().encode()], overwrite=overwrite)

    @classmethod
    def load(cls, path: str | Path) -> FaultRate:
        """Read what `save` wrote.

        Raises:
            FileError: The file cannot be read.
            RecipeError: It holds no fault rate.
        """
        return cls.from_json(read_file(Path(path)))

    def to_frame(self) -> Any:
        """Return the injected faults as a pandas DataFrame: place, tensor, element, bit, effect, changed, drop.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        faults = self.faults
        columns = {
            "place": faults.place,
            "tensor": np.array([tensor.name for tensor in self.tensors], object)[faults.tensor],
            "element": faults.element,
            **({"bit": faults.way} if any(tensor.bits for tensor in self.tensors) else {}),
            "effect": np.array([effect.name.lower() for effect in Effect], object)[faults.effect],
            "changed": faults.changed,
            "drop": faults.drop,
        }
        return as_frame(columns)

    def details(self) -> str:
        """Return it in words: the rate, what became of the faults, and each bit or tensor as a bar."""
        done = f"{len(self.faults):,} of {self.population:,} faults, {type(self.operator).__name__}"
        outcomes = self.outcomes()
        counts = ", ".join(f"{outcomes[effect]:,} {effect.name.lower()}" for effect in Effect if outcomes[effect])
        lines = [
            f"fault rate  {self.rate}",
            f"injected    {done}; {self.samples:,} samples",
            f"effects     {counts}",
            f"interval    exact, for all {self.population:,}; {self.confidence:.0%} over {len(self.looks)} looks",
            "",
        ]
        lines += bars_of_letters(self._first_group(), self.by(self._first_group()))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        parts = [f"{self.rate} of the faults fail", more_line(self.details().split("\n")[1])]
        groups: tuple[Group, ...] = (self._first_group(), "layer")
        return fragment(*parts, *(part for group in groups for part in drawn(group, self.by(group))))

    def _first_group(self) -> Group:
        return "bit" if any(tensor.bits for tensor in self.tensors) else "tensor"

    def _share(self, happens: NDArray[np.bool_], chosen: NDArray[np.bool_], population: int) -> FaultShare:
        return FaultShare.counted(int((happens & chosen).sum()), int(chosen.sum()), population, self.alpha)

    def _happens(self, event: str) -> NDArray[np.bool_]:
        if event not in _EVENTS:
            raise SettingError(f"event: one of {', '.join(_EVENTS)}; received {event!r}.")
        return np.isin(self.faults.effect, _EVENTS[event])
