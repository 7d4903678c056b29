"""The machine that a benchmark ran on, in the words of the pages."""

from __future__ import annotations

import datetime as dt
import os
import platform
from pathlib import Path

import torch


def machine() -> str:
    """Name the machine, the versions, the date and the load."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return (
        f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"torch {torch.__version__}; {dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, load {os.getloadavg()[0]:.1f}"
    )
