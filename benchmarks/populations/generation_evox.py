"""A generation by EvoX: OpenES on whole weights under vmap, or its evolution strategy of low rank."""

from __future__ import annotations

import torch
from evox.algorithms import OpenES
from evox.algorithms.so.es_variants.virtual_lora_es import VirtualLoRAES
from evox.problems.neuroevolution.supervised_learning import SupervisedLearningProblem
from evox.problems.neuroevolution.virtual_lora_problem import VirtualLoRAProblem
from evox.utils import ParamsAndVector
from evox.workflows import StdWorkflow
from timing import Ways, main
from torch import nn


def made(way: str, members: int, hidden: int, batch: int) -> Ways:
    """Return what evaluates a population, and a whole generation."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(784, hidden), nn.Tanh(), nn.Linear(hidden, 10)).requires_grad_(False)
    data = [(torch.randn(batch, 784), torch.randint(10, (batch,)))]  # one batch, which is not made anew
    loss = nn.CrossEntropyLoss(reduction="none")
    flat = ParamsAndVector(model)
    center = flat.to_vector(dict(model.named_parameters()))
    if way == "rank 1":
        shapes = [tuple(p.shape) for p in model.parameters()]
        problem = VirtualLoRAProblem(model, data, loss, lora_rank=1)
        algorithm = VirtualLoRAES(shapes, 1, members, center, learning_rate=0.01, noise_stdev=0.01)
        workflow = StdWorkflow(algorithm, problem)
        seeds = torch.arange(members)
        return {"evaluation": lambda: problem.evaluate((center, seeds, 0.01)), "generation": workflow.step}
    problem = SupervisedLearningProblem(model, data, loss, pop_size=members)
    algorithm = OpenES(members, center, learning_rate=0.01, noise_stdev=0.01, mirrored_sampling=False)
    workflow = StdWorkflow(algorithm, problem, solution_transform=flat)
    weights = flat.batched_to_params(center + 0.01 * torch.randn(members, len(center)))
    return {"evaluation": lambda: problem.evaluate(weights), "generation": workflow.step}


if __name__ == "__main__":
    with torch.no_grad():
        main(made)
