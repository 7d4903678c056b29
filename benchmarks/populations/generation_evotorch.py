"""A generation by EvoTorch: SNES, networks one after the other (SupervisedNE) or under torch.func.vmap."""

from __future__ import annotations

import torch
from evotorch import Problem
from evotorch.algorithms import SNES
from evotorch.neuroevolution import SupervisedNE
from evotorch.neuroevolution.net.functional import make_functional_module
from evotorch.tools.misc import set_default_logger_config
from timing import Ways, main
from torch import nn


def made(way: str, members: int, hidden: int, batch: int) -> Ways:
    """Return what evaluates a population, and a whole generation."""
    torch.set_num_threads(1)
    set_default_logger_config(override=True)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, hidden), nn.Tanh(), nn.Linear(hidden, 10))
    x, y = torch.randn(batch, 784), torch.randint(10, (batch,))
    problem = by_vmap(model, x, y) if way == "vmap" else one_by_one(model, x, y)
    searcher = SNES(problem, popsize=members, stdev_init=0.01)
    searcher.step()
    return {"evaluation": lambda: problem.evaluate(searcher.population), "generation": searcher.step}


def one_by_one(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Problem:
    """Return the problem as the class for it has it; its samples come as one batch, which is not made anew."""

    class Whole(SupervisedNE):
        def make_dataloader(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
            return [(x, y)]

    dataset = torch.utils.data.TensorDataset(x, y)
    return Whole(dataset, lambda: model, nn.CrossEntropyLoss(), minibatch_size=len(x), num_minibatches=1)


def by_vmap(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> Problem:
    """Return the problem as its documentation has functional networks."""
    network = make_functional_module(model, disable_autograd_tracking=True)
    length = sum(p.numel() for p in model.parameters())

    @torch.no_grad()
    def loss(flat: torch.Tensor) -> torch.Tensor:
        return torch.func.vmap(lambda own: nn.functional.cross_entropy(network(own, x), y))(flat)

    return Problem("min", loss, solution_length=length, initial_bounds=(-0.01, 0.01), dtype=x.dtype, vectorized=True)


if __name__ == "__main__":
    main(made)
