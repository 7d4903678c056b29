"""Run in a process of its own: print what becomes of Keras models on KERAS_BACKEND's backend, which it imports once."""

from __future__ import annotations

import json
import sys

from tests.backends.keras import architectures, mutants

if __name__ == "__main__":
    json.dump({"mutants": mutants.told(), "architectures": architectures.told(int(sys.argv[1]))}, sys.stdout)
