from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from genewright.start_up_lines import held_back, without_chatter

SAID = b"""WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795807613.396837   25743 port.cc:153] oneDNN custom operations are on. You may see ...
2026-11-27 10:00:00.1: I tensorflow/core/util/port.cc:153] oneDNN custom operations are on.
I0000 00:00:1795807613.557395   25743 cpu_feature_guard.cc:227] This TensorFlow binary is optimized ...
To enable the following instructions: AVX2 AVX512F, in other operations, rebuild TensorFlow ...
E0000 00:00:1795807613.557395   25743 mine.cc:1] a plug-in of mine
UserWarning: mine
"""


def test_start_up_lines_go_and_all_else_stays() -> None:
    assert without_chatter(SAID).splitlines() == SAID.splitlines()[-2:]


def test_what_else_is_written_meanwhile_follows(capfd: pytest.CaptureFixture[str]) -> None:
    if "tensorflow" in sys.modules or "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        pytest.skip("nothing is held back in this process")
    with held_back():
        os.write(2, SAID)
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "2"
    assert capfd.readouterr().err == "".join(SAID.decode().splitlines(keepends=True)[-2:])
    assert "TF_CPP_MIN_LOG_LEVEL" not in os.environ


@pytest.mark.slow
def test_loading_a_keras_file_says_nothing_on_standard_error(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")
    make = (
        "import keras; k = keras.layers; "
        "keras.Sequential([keras.Input((3,)), k.Dense(2, name='a'), k.Dense(2)]).save('net.keras')"
    )
    code = (
        "import genewright as gw; m = gw.load('net.keras'); print(gw.plan(m, gw.Widen('a', 1.5), seed=1)); "
        "import keras, os; assert keras.backend.backend() == 'tensorflow'; "
        "assert 'TF_CPP_MIN_LOG_LEVEL' not in os.environ"
    )
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    for lines, silent in ((make, False), (code, True)):
        done = subprocess.run(
            [sys.executable, "-c", lines], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert (done.stderr == "") is silent, done.stderr
