"""Reads the case periodically in a thread, and fails closed: without a readable case nothing is on offer or in force.

While the case cannot be read (`case.json` missing or half-written), its last state holds for three seconds from the
last successful reading, since copying or saving a file may take that long. After that nothing is on offer or in force
until the case can be read again. If another case is found in the folder, this takes effect at once.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from case.case import Case
from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, Clock
from navigation.live.offers.case_view import CaseView, view_of
from navigation.live.offers.fingerprints import Fingerprints

# Errors that a malformed file can cause in our own code. Any other error ends the thread, which `poll` notices.
_UNFORESEEN = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


@dataclass(frozen=True, kw_only=True)
class WatchSettings:
    """How often the case is read, and how long a reading holds.

    Attributes:
        every_s: time from the beginning of one reading to that of the next.
        holds_s: how long the last state holds while the case cannot be read.
        answers_within_s: a reading that takes longer has failed, since a network drive may never answer.
    """

    every_s: float = 0.4
    holds_s: float = 3.0
    answers_within_s: float = 15.0


class CaseWatch:
    """Watches the case; call `poll` often, which never waits.

    Args:
        case: folder of the case.
        clock: times the readings.
        unix_time_ns: returns the time since 1970 in ns, on the clock of the files' times.
        settings: how often the case is read, and how long a reading holds.
    """

    def __init__(
        self, case: Path, clock: Clock, unix_time_ns: Callable[[], int], settings: WatchSettings | None = None
    ) -> None:
        self._case, self._clock = case, clock
        self._fingerprints = Fingerprints(unix_time_ns)
        self._settings = settings or WatchSettings()
        self._look: _Look | None = None
        self._next_ns = clock.now_ns()
        self._last: CaseView | None = None
        self._seen_ns = 0

    def look(self) -> CaseView:
        """Reads the case now, and waits for the result.

        Raises:
            SurgNavError: there is no case in the folder, or it cannot be read.
        """
        self._seen_ns = self._clock.now_ns()
        self._last = view_of(Case.open(self._case, self._fingerprints.of))
        return self._last

    def poll(self, decided: int = 0) -> CaseView | None:
        """The result of a reading, once, when it has finished; None otherwise.

        Args:
            decided: how many changes this service itself has made in the case; a reading that began before the last
                change is discarded.
        """
        now_ns, look = self._clock.now_ns(), self._look
        if look is None:
            if now_ns >= self._next_ns:
                self._look = _Look(self._case, self._fingerprints, now_ns, decided)
                with contextlib.suppress(RuntimeError):  # no more threads: counts as a reading that failed
                    self._look.start()
            return None
        if look.is_alive():
            if look.given_up or now_ns - look.began_ns < self._settings.answers_within_s * NS_PER_S:
                return None
            look.given_up = True
            return self._blind(f"the case's folder has not answered for {self._settings.answers_within_s:g} s", now_ns)
        self._look = None
        if look.decided != decided or look.given_up:
            return None
        self._next_ns = look.began_ns + round(self._settings.every_s * NS_PER_S)
        return self._blind(look.problem, now_ns) if look.view is None else self._saw(look.view, look.began_ns)

    def _saw(self, view: CaseView, began_ns: int) -> CaseView:
        if self._last is not None and view.identity != self._last.identity:
            came = f"another case ('{view.identity[0]}') is in this folder now"
            return CaseView(problem=came, trouble=f"{came}: start the service anew for it")
        self._last, self._seen_ns = view, began_ns
        return view

    def _blind(self, problem: str, now_ns: int) -> CaseView:
        holds_s = self._settings.holds_s
        if self._last is not None and now_ns - self._seen_ns < holds_s * NS_PER_S:
            return replace(self._last, trouble=f"{problem}; what the case said last holds for {holds_s:g} s")
        return CaseView(problem="the case cannot be read", trouble=problem)


class _Look(threading.Thread):
    """One reading of the case. It is a daemon thread, so that a folder that never answers does not block the exit.

    Attributes:
        view: the state of the case; None if it could not be read, for the reason in `problem`.
        given_up: whether the reading took too long and its result will be discarded.
    """

    def __init__(self, case: Path, fingerprints: Fingerprints, began_ns: int, decided: int) -> None:
        super().__init__(name="surgnav-case", daemon=True)
        self._case, self._fingerprints = case, fingerprints
        self.began_ns, self.decided = began_ns, decided
        self.view: CaseView | None = None
        self.problem = "the look at the case ended without a word"
        self.given_up = False

    def run(self) -> None:
        try:
            self.view = view_of(Case.open(self._case, self._fingerprints.of))
        except SurgNavError as error:
            self.problem = error.came
        except _UNFORESEEN as error:
            self.problem = f"{type(error).__name__}: {error}"
