"""Serves a case to headsets for some seconds, about a simulated tracker; connect with examples/headset.py.

Needs: pip install 'surgnav[navigation]'. Run: python examples/serve_case.py CASE [SECONDS [PORT]]
"""

import sys
import time
from pathlib import Path

from rich.console import Console

import surgnav


def main(case: str, seconds: str = "60", port: str = "5570") -> None:
    ports = (int(port), int(port) + 1, int(port) + 2)  # poses, surfaces, control; on this machine only
    end = time.monotonic() + float(seconds)
    request = surgnav.ServeRequest(case=Path(case), tracker="simulated", ports=ports)
    surgnav.serve(request, Console(), should_stop=lambda: time.monotonic() > end)


if __name__ == "__main__":  # poses are sent by a process of their own, which imports this file again
    main(*sys.argv[1:])
