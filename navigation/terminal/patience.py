"""Reports every few seconds that work is still going on which may take long on a busy machine."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 3.0


@contextmanager
def saying(say: Callable[[str], object], what: str, every_s: float = EVERY_S) -> Iterator[None]:
    """While the block runs, calls `say` every `every_s` with `what` and the seconds so far, from another thread."""
    done = threading.Event()

    def tell() -> None:
        waits = 0
        while not done.wait(every_s):
            waits += 1
            say(f"{what}: {waits * every_s:.0f} s")

    teller = threading.Thread(target=tell, name="surgnav-patience", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
