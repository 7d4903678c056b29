"""What tests/backends/torch/test_sharded.py runs on two processes: `python -m ... RANK STORE`; rank 0 prints JSON."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.distributed.tensor import Replicate, Shard, distribute_tensor

import genewright as gw

MUTATIONS = {
    "update": gw.EvolutionUpdate(seeds=(1, 2, 3), weights=(0.5, -1.0, 0.25), weight_decay=0.1),
    "update of low rank": gw.EvolutionUpdate(seeds=(1, 2), weights=(0.5, -1.0), rank=2),
    "update by Adam": gw.EvolutionUpdate(seeds=(1, 2), weights=(0.5, -1.0), optimizer="adam"),
    "dense": gw.GaussianNoise(std=0.3),
    "sparse": gw.GaussianNoise(std=0.3, rate=0.02),
    "relative to the tensor": gw.GaussianNoise(std=0.1, relative_to="tensor"),
    "units": gw.UniformNoise(bound=0.5, where=gw.where(roles="kernel", units=[0, 4, 5])),
    "bits": gw.BitFlip(rate=0.3),
    "shuffle": gw.Shuffle(),
    "quantize": gw.Quantize(bits=4),
    "several": [gw.FactorNoise(std=0.1), gw.Zero(rate=0.3)],
}


def plain() -> nn.Sequential:
    """Rows that two processes cannot share evenly, an embedding tied to the head, and half precision."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Embedding(7, 6), nn.Linear(6, 9), nn.Linear(9, 6).bfloat16(), nn.Linear(6, 7))
    net[3].weight = net[0].weight
    return net


def whole(net: nn.Module) -> dict[str, torch.Tensor]:
    """Return every parameter, gathered."""
    held: dict[str, Any] = dict(net.named_parameters())
    return {n: (p.full_tensor() if hasattr(p, "full_tensor") else p).detach().clone() for n, p in held.items()}


def same(one: nn.Module, other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(tensor, other[name]) for name, tensor in whole(one).items())


def by_rows() -> nn.Module:
    """FSDP2: rows are cut."""
    mesh = init_device_mesh("cpu", (2,))
    net = plain()
    fully_shard(net[1], mesh=mesh)
    return fully_shard(net, mesh=mesh)


def along(*placements: Any, mesh: tuple[int, ...] = (2,)) -> Callable[[], nn.Module]:
    """Return what makes the network with every matrix placed so: what tensor parallelism does."""

    def make() -> nn.Module:
        net, made = plain(), init_device_mesh("cpu", mesh)
        done: dict[int, nn.Parameter] = {}
        for layer in net:
            for name, parameter in list(layer.named_parameters()):
                if parameter.dim() == 2 and id(parameter) not in done:
                    placed = distribute_tensor(parameter.detach(), made, placements)
                    done[id(parameter)] = nn.Parameter(placed)
                setattr(layer, name, done.get(id(parameter), parameter))
        return net

    return make


def judged(make: Callable[[], nn.Module], operator: Any) -> dict[str, bool]:
    """Mutate a sharded network and the same one in one piece; compare, undo, replay."""
    reference = gw.mutate(plain(), operator, seed=7)
    net = make()
    before = whole(net)
    with gw.mutated(net, operator, seed=7):
        inside = same(net, dict(reference.named_parameters()))
    restored = same(net, before)
    with gw.resident(net) as base:
        base.mutant(operator, seed=1)
        resident = same(base.mutant(operator, seed=7), dict(reference.named_parameters()))
    restored &= same(net, before)
    gw.mutate(net, operator, seed=7, inplace=True)
    return {
        "mutant": same(net, dict(reference.named_parameters())),
        "inside": inside,
        "resident": resident,
        "restored": restored,
        "fingerprint": gw.fingerprint(net) == gw.fingerprint(reference),
        "recipe": gw.fingerprint(gw.replay(gw.recipe(net), plain())) == gw.fingerprint(reference),
        "changed": not same(net, before),
    }


def gathered_by_a_forward_pass() -> bool:
    """After a forward pass FSDP2 still shows the gathered root; the mutation must reach the shards all the same."""
    net = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 3))
    alone = copy.deepcopy(net)
    dist.broadcast_object_list(states := [alone.state_dict()], src=0)
    alone.load_state_dict(states[0])
    net.load_state_dict(states[0])
    sharded = fully_shard(net, mesh=init_device_mesh("cpu", (2,)))
    x = torch.ones(2, 6)
    sharded(x)
    gw.mutate(sharded, gw.GaussianNoise(std=1.0), seed=3, inplace=True)
    return torch.equal(sharded(x), gw.mutate(alone, gw.GaussianNoise(std=1.0), seed=3)(x))


def refusals() -> dict[str, str]:
    """Return what is said to what cannot be done."""
    said = dict[str, str]()
    old = FullyShardedDataParallel(plain().float(), device_id=torch.device("cpu"))
    try:
        gw.mutate(old, gw.Zero(rate=0.5), seed=1, inplace=True)
    except gw.GenewrightError as error:
        said["FSDP1"] = str(error)
    try:
        gw.mutate(by_rows(), gw.Widen("1", num_units=2), seed=1, inplace=True, example=torch.tensor([[1, 2]]))
    except gw.GenewrightError as error:
        said["widen"] = str(error)
    return said


def main() -> None:
    rank, store = int(sys.argv[1]), sys.argv[2]
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=2, timeout=timedelta(seconds=120)
    )
    makes = {
        "fully_shard": by_rows,
        "columns": along(Shard(1)),
        "replicated": along(Replicate()),
        "two axes": along(Shard(0), Shard(1), mesh=(2, 1)),
    }
    result: dict[str, Any] = {
        f"{kind}, {name}": judged(make, operator)
        for kind, make in makes.items()
        for name, operator in MUTATIONS.items()
    }
    result["gathered"] = {"reached": gathered_by_a_forward_pass()}
    said = refusals()
    if rank == 0:
        print(json.dumps({"checks": result, "said": said}))
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
