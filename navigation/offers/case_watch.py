"""Looks at the case again and again, in a thread, and fails closed: what it cannot see it does not vouch for.

The rule while the case cannot be read (`case.json` away, half-written, another's for a moment): what it said last
holds for three seconds from the last look that succeeded, as a copy or an editor that saves may take so long; then
nothing is on offer or in force until it can be read again. A case of another patient in its place counts at once.
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
from navigation.offers.case_view import CaseView, view_of
from navigation.offers.fingerprints import Fingerprints

# What a file of somebody else's can make our own code raise; anything worse ends the look's thread, which is noticed.
_UNFORESEEN = (OSError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


@dataclass(frozen=True, kw_only=True)
class WatchSettings:
    """How often, and how long it is trusted.

    Attributes:
        every_s: from the beginning of a look to the next.
        holds_s: so long what the case said last counts while it cannot be read.
        answers_within_s: a look that takes longer is one that failed: a network drive may never answer.
    """

    every_s: float = 0.4
    holds_s: float = 3.0
    answers_within_s: float = 15.0


class CaseWatch:
    """Call `poll` often; it never waits.

    Args:
        unix_time_ns: since 1970, the clock of the files' times.
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
        """Looks now, and waits for it.

        Raises:
            SurgNavError: no case there, or none that can be read.
        """
        self._seen_ns = self._clock.now_ns()
        self._last = view_of(Case.open(self._case, self._fingerprints.of))
        return self._last

    def poll(self, decided: int = 0) -> CaseView | None:
        """What the last look saw, once it is done; None in between.

        Args:
            decided: grows with whatever this service itself decides in the case: a look that began before is old.
        """
        now_ns, look = self._clock.now_ns(), self._look
        if look is None:
            if now_ns >= self._next_ns:
                self._look = _Look(self._case, self._fingerprints, now_ns, decided)
                with contextlib.suppress(RuntimeError):  # no thread more: a look that saw nothing
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
    """One look. It is a daemon, since a folder that never answers must not keep the service from ending.

    Attributes:
        view: what it saw; None where it saw nothing, and then `problem` says why.
        given_up: nobody waits for it any more.
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
