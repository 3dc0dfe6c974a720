"""``python -m scripts.faults [WORD ...]`` tests which deliberate faults are noticed; ``--list`` only lists them."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from geometry.errors import SurgNavError
from scripts.faults.fault_list import FAULTS, Fault, picked, read_faults
from scripts.faults.trial import Outcome, Result, WorkingCopy, judged

REPOSITORY = Path(__file__).resolve().parent.parent.parent


def main(arguments: Sequence[str] | None = None) -> int:
    """Tries the faults; returns 0 if every fault was noticed, 1 if some survived, 2 if some could not be judged."""
    asked = _parser().parse_args(arguments)
    try:
        faults = picked(read_faults(asked.faults), asked.words)
    except SurgNavError as error:
        _say(str(error))
        return 2
    if asked.list:
        for fault in faults:
            _say(f"{fault.file}: {fault.name}")
        return 0
    return _summary(_try_all(asked.repository, faults, asked.workers, asked.limit))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m scripts.faults", description="Tries the tests on faults.")
    parser.add_argument("words", nargs="*", help="parts of names or files of faults; none: all faults")
    parser.add_argument("--list", action="store_true", help="only name them")
    parser.add_argument("--workers", type=int, default=1, help="trials at a time, each in a copy of its own")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds for the tests of one fault")
    parser.add_argument("--faults", type=Path, default=FAULTS, help="another list")
    parser.add_argument("--repository", type=Path, default=REPOSITORY, help="another checkout")
    return parser


def _try_all(repository: Path, faults: Sequence[Fault], workers: int, limit_s: float) -> list[tuple[Fault, Result]]:
    """Tries each fault in one of `workers` copies, and prints each result as soon as it is known."""
    copies: SimpleQueue[WorkingCopy] = SimpleQueue()
    tried: list[tuple[Fault, Result]] = []

    def trial(fault: Fault) -> None:
        copy, began_s = copies.get(), time.monotonic()
        try:
            result = judged(copy, fault, limit_s)
        finally:
            copies.put(copy)
        tried.append((fault, result))
        detail = f": {result.detail}" if result.detail else ""
        _say(f"[{len(tried)}/{len(faults)}] {result.outcome}, {time.monotonic() - began_s:.0f} s, {fault.name}{detail}")

    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        for number in range(max(1, workers)):
            copies.put(WorkingCopy(repository, Path(folder) / str(number)))
        pool = ThreadPoolExecutor(max(1, workers))
        try:
            list(pool.map(trial, faults))
        finally:
            pool.shutdown(cancel_futures=True)
    return tried


def _summary(tried: Sequence[tuple[Fault, Result]]) -> int:
    names = {outcome: [fault.name for fault, result in tried if result.outcome is outcome] for outcome in Outcome}
    _say(f"{len(names[Outcome.NOTICED])} of {len(tried)} faults noticed")
    for outcome in (Outcome.SURVIVED, Outcome.NOT_JUDGED):
        for name in names[outcome]:
            _say(f"  {outcome}: {name}")
    if names[Outcome.NOT_JUDGED]:
        return 2
    return 1 if names[Outcome.SURVIVED] else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
