"""Peak memory of mutating a 400 MB model, each way in a process of its own.

Prints, for every way of mutating, the peak resident memory above what the process held with the model loaded, in MB
and as a share of the model. Run: make bench-memory
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

LAYERS, WIDTH = 25, 2000  # 25 * 2000 * 2000 float32 = 400 MB


def peak_mb() -> float:
    """Return the highest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(way: str) -> dict[str, float]:
    """Build the model, mutate it once in the given way, return peak and time."""
    import torch

    import genewright as gw

    torch.set_num_threads(1)
    torch.manual_seed(0)
    small = torch.nn.Sequential(torch.nn.Linear(512, 512))  # import and compile first: that memory is not the model's
    for rate in (1.0, 0.01):
        with gw.mutated(small, gw.GaussianNoise(std=0.1, rate=rate), seed=0):
            gw.fingerprint(small)
    net = torch.nn.Sequential(*(torch.nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(LAYERS)))
    model_mb = sum(p.numel() * 4 for p in net.parameters()) / 2**20
    before = peak_mb()
    start = time.perf_counter()
    if way == "inplace":
        gw.mutate(net, gw.GaussianNoise(std=0.01), seed=1, inplace=True)
    elif way == "copy":
        gw.mutate(net, gw.GaussianNoise(std=0.01), seed=1)
    elif way == "mutated dense":
        with gw.mutated(net, gw.GaussianNoise(std=0.01), seed=1):
            pass
    elif way == "mutated 0.01":
        with gw.mutated(net, gw.GaussianNoise(std=0.01, rate=0.01), seed=1):
            pass
    elif way == "usual recipe":
        for p in net.parameters():
            p.data += 0.01 * torch.randn_like(p) * (torch.rand(p.shape) < 1.0).int()
    seconds = time.perf_counter() - start
    return {"model_mb": model_mb, "above_mb": peak_mb() - before, "seconds": seconds}


def main() -> None:
    """Measure every way and print the table."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    print(f"{'way':<16}{'model MB':>10}{'peak above MB':>15}{'of the model':>14}{'seconds':>10}")
    for way in ("inplace", "copy", "mutated dense", "mutated 0.01", "usual recipe"):
        run = subprocess.run([sys.executable, __file__, way], capture_output=True, text=True, check=True)
        row = json.loads(run.stdout)
        share = row["above_mb"] / row["model_mb"]
        print(f"{way:<16}{row['model_mb']:>10.0f}{row['above_mb']:>15.1f}{share:>13.1%}{row['seconds']:>10.2f}")


if __name__ == "__main__":
    main()
