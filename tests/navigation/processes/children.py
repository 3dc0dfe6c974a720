"""What the processes of the tests run."""

from __future__ import annotations

import os
import signal
import time

from geometry.errors import SurgNavError
from navigation.processes.child import STOP


def echo(first: str, pipe) -> None:
    """Says `first`, then whatever it is told; ``die`` and ``fail`` end it, and so does `STOP`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    pipe.send(first)
    while (told := pipe.recv()) != STOP:
        if told == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if told == "fail":
            pipe.send(SurgNavError("a cable that was pulled", "a cable", "plug it in"))
            return
        if told == "sleep":
            time.sleep(600.0)
        pipe.send((first, told))
    if first == "much":
        pipe.send(bytes(10 << 20))  # more than a pipe holds


def refuse(pipe) -> None:
    """Cannot run at all."""
    pipe.send(SurgNavError("a port in use", "a free port", "choose another"))
