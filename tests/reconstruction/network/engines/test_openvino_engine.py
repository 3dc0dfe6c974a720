"""OpenVINO's engines leave the process that they run in as it was."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# In a process of its own, since what is wrong here ends it. Python's handlers run on the thread's signal stack as soon
# as it has one, which faulthandler gives it, as pytest does.
ENDED_IN_THE_ORDER_THEY_BEGAN = """
import faulthandler, gc, os, signal
import numpy as np
from reconstruction.network.engines.openvino_engine import OpenVinoEngine
from reconstruction.network.weights import load_weights

faulthandler.enable()
signal.signal(signal.SIGUSR1, lambda *_: print("heard"))
engines = []
for _ in range(3):
    engines.append(OpenVinoEngine(load_weights(), threads=1))
    engines[-1].run(np.zeros((1, 1, 16, 16, 16), np.float32))
while engines:
    engines.pop(0)
    gc.collect()
    os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_a_signal_is_heard_after_engines_have_ended(repository: Path):
    done = subprocess.run(
        [sys.executable, "-c", ENDED_IN_THE_ORDER_THEY_BEGAN],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (done.returncode, done.stderr)
    assert done.stdout.split() == ["heard"] * 3
