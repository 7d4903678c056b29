"""A resident base: one network takes the weights of one mutant after another, and nothing is undone in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Generic

from genewright.backends import backend_of
from genewright.calls import answered
from genewright.donors import Donors
from genewright.errors import ExampleError, SettingError, UnsupportedError
from genewright.interrupts import checkpoint, shielded
from genewright.mutate import Model, Operators, act
from genewright.named import operators_for
from genewright.seeding import Noise, Seed, seed_required
from genewright.tensor import is_plain
from genewright.transaction import Transaction

_CALL = "base.mutant(gw.GaussianNoise(std=0.01), seed=246)"


@answered("with gw.resident(model) as base: ...")
def resident(model: Model) -> Resident[Model]:
    """Hold the weights of `model` aside, so that it can be one mutant after another; afterwards every byte is back.

    ``base.mutant(operator, seed=...)`` gives `model` itself the weights W0 + s z(seed), with the bits of `gw.mutate`:
    always from W0, whatever it was before. Between two mutants nothing is subtracted or put back but for W0, which is
    copied where the last one changed something. So it needs the memory of two models, and saves what `gw.mutated` does
    for each seed: a copy of the old weights, and their way back. The other sign of a direction is a mutant by
    ``gw.EvolutionNoise(std=s, mirrored=True)``.

    Args:
        model: A torch module or a Keras model. Training steps inside the block are not kept.

    Returns:
        A context manager; it gives the resident base. Running statistics and other buffers are the base's for each
        mutant, whatever forward passes made of them. Ctrl-C inside the block leaves the model as it was.

    Raises:
        SettingError: The call is not as it should be.

    Example:
        >>> import torch, genewright as gw
        >>> net, x = torch.nn.Linear(3, 2), torch.ones(1, 3)
        >>> with gw.resident(net) as base:
        ...     outputs = [base.mutant(gw.GaussianNoise(std=0.1), seed=seed)(x) for seed in range(30)]
        >>> torch.equal(outputs[7], gw.mutate(net, gw.GaussianNoise(std=0.1), seed=7)(x))
        True

    References:
        Salimans et al., "Evolution Strategies as a Scalable Alternative to Reinforcement Learning", arXiv:1703.03864,
        section 2.1 (seeds instead of weights); Malladi et al., "Fine-Tuning Language Models with Just Forward Passes",
        arXiv:2305.17333, section 2 (perturbing in place).
    """
    backend_of(model)
    return Resident(model)


class Resident(Generic[Model]):
    """The weights that mutants start from, and the model that is one of them; made by `gw.resident`."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._held: Transaction | None = None
        self._base: dict[str, Callable[[], None]] = {}  # what puts the base's values back, by the tensor's name
        self._moving: tuple[str, ...] = ()
        self._changed: tuple[str, ...] = ()

    @shielded
    def __enter__(self) -> Resident[Model]:
        backend = backend_of(self._model)
        self._held = held = Transaction(backend, self._model, inplace=True, keep=True, signs=False)
        held.__enter__()
        try:
            store = backend.store(self._model, None, held.network)
            every = [tensor for tensor in held.network.tensors.values() if is_plain(tensor.dtype)]
            assert held.journal is not None
            for tensor in every:
                self._base[tensor.name] = put_back = store.memory(tensor.name).snapshot()
                held.journal.add(put_back)
            self._moving = tuple(tensor.name for tensor in every if tensor.role in ("statistic", "buffer"))
            checkpoint()
        except BaseException as error:
            held.__exit__(type(error), error, error.__traceback__)
            raise
        held.open_to_caller()
        return self

    @shielded
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._held is not None
        held, self._held, self._base = self._held, None, {}
        held.__exit__(kind, error, trace)

    @seed_required(_CALL)
    @shielded
    def mutant(self, operator: Operators, *, seed: Seed, donors: Mapping[str, Any] | None = None) -> Model:
        """Return the model, as the mutant that `gw.mutate` makes of the base by this operator and seed.

        Args:
            operator: An operator, or several that act in order, that change weights alone.
            seed: As in `gw.mutate`.
            donors: As in `gw.mutate`.

        Raises:
            UnsupportedError: The operator changes layers or shapes; the model is the base then.
            SettingError: The block is over, or has not begun.
            GenewrightError: The operator does not fit; the model is the base then.
        """
        if self._held is None:
            raise SettingError("A resident base lasts as long as its block: with gw.resident(model) as base: ...")
        operators = operators_for(self._model, operator, "base.mutant")
        self._reset()
        change = Transaction(
            backend_of(self._model),
            self._model,
            donors=Donors(donors, changing=self._model, operators=operators),
            inplace=True,
            signs=False,
            network=self._held.network,
        )
        self._changed = tuple(self._base)  # until it is known better
        with change:
            try:
                act(change, operators, Noise(seed))
            except ExampleError as error:
                raise _structural(" and ".join(type(one).__name__ for one in operators)) from error
            for done in change.done:
                if done.tensors is None:
                    raise _structural(type(done.step.operator).__name__)
            change.commit()
        self._changed = tuple({name for done in change.done for name in done.tensors or ()})
        return self._model

    def _reset(self) -> None:
        for name in dict.fromkeys((*self._changed, *self._moving)):
            self._base[name]()
        self._changed = ()


def _structural(name: str) -> UnsupportedError:
    return UnsupportedError(
        f"{name} changes layers or shapes, or has to see the model run, and mutants of a resident base differ in their "
        "weights alone. Write: with gw.mutated(model, operator, seed=seed, example=x) as mutant: ..."
    )
