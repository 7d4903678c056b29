"""mutated: a model that is a mutant for the length of a block."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic

from genewright.backends import backend_of
from genewright.donors import Donors
from genewright.errors import NoAttributeError, SettingError
from genewright.interrupts import checkpoint, shielded
from genewright.mutate.acting import CALL, Model, Operators, act, companion_of
from genewright.named import operators_for
from genewright.operator import AnyOperator
from genewright.seeding import Noise, Seed, seed_required
from genewright.transaction import Transaction


@seed_required("with " + CALL.format("mutated") + " as mutant: ...")
def mutated(
    model: Model,
    operator: Operators,
    *,
    seed: Seed,
    example: Any = None,
    optimizer: Any = None,
    donors: Mapping[str, Any] | None = None,
) -> Mutated[Model]:
    """Mutate `model` in place for the length of a ``with`` block; afterwards every byte is back.

    Nothing is subtracted: the old values are kept aside, only those that change where the rate is low. Running
    statistics and other buffers that forward passes move inside the block are put back too; training steps on the
    parameters inside the block are not undone. Ctrl-C, at whatever instant it comes, finds the model mutated whole or
    back whole.

    Args:
        model: As in `mutate`.
        operator: As in `mutate`.
        seed: As in `mutate`.
        example: As in `mutate`.
        optimizer: As in `mutate`; its state too is back afterwards.
        donors: As in `mutate`.

    Returns:
        A context manager; it gives `model`, mutated.

    Example:
        >>> import torch, genewright as gw
        >>> net = torch.nn.Linear(3, 2)
        >>> with gw.mutated(net, gw.Zero(rate=1.0), seed=1) as zeroed:
        ...     zeroed.weight.abs().sum().item()
        0.0
    """
    operators = operators_for(model, operator, "gw.mutated")
    known = Donors(donors, changing=model, operators=operators, example=example)
    return Mutated(model, operators, seed, example, optimizer, known)


_BLOCK = "The model is a mutant inside a block alone. Write with gw.mutated(model, operator, seed=246) as mutant: ..."


class Mutated(Generic[Model]):
    """A model that is a mutant for the length of a ``with`` block; made by `mutated`."""

    def __init__(
        self, model: Model, operators: tuple[AnyOperator, ...], seed: Seed, example: Any, optimizer: Any, donors: Donors
    ) -> None:
        self._model = model
        self._operators = operators
        self._seed = seed
        self._example = example
        self._optimizer = optimizer
        self._donors = donors
        self._change: Transaction | None = None

    if not TYPE_CHECKING:  # a type checker says so itself

        def __getattr__(self, name: str) -> Any:
            """Say that the block is missing."""
            raise NoAttributeError(f"gw.mutated(...) has no attribute {name!r}. {_BLOCK}")

        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            """Say that the block is missing."""
            raise SettingError(f"gw.mutated(...) is no model. {_BLOCK}")

        __iter__ = __len__ = __getitem__ = __call__

    @shielded
    def __enter__(self) -> Model:
        backend = backend_of(self._model)
        companion = companion_of(backend, self._model, self._optimizer, inplace=True)
        self._change = change = Transaction(
            backend,
            self._model,
            example=self._example,
            donors=self._donors,
            companion=companion,
            inplace=True,
            keep=True,
            signs=False,
        )
        change.__enter__()
        try:
            change.remember_buffers()
            act(change, self._operators, Noise(self._seed))
            checkpoint()
        except BaseException as error:
            change.__exit__(type(error), error, error.__traceback__)
            raise
        change.open_to_caller()
        return change.model

    @shielded
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._change is not None
        self._change.__exit__(kind, error, trace)
