"""The ultrasound sweep of ``surgnav serve``: begun and ended by the operator, its surface offered while it grows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from geometry.errors import SurgNavError
from geometry.frames import REFERENCE
from navigation.live.service import NavigationService
from navigation.live.session_state import SessionState
from navigation.live.standing.sweep import SweepStanding
from navigation.operator_screen.screen import PLAIN, WARNING, OperatorScreen
from navigation.processes.child import ChildState
from navigation.ultrasound.freehand.sweep_process import SWEEP, Kept, LiveSweep, Swept
from unity_bridge.errors import EventRefusedError
from unity_bridge.surfaces.levels import EncodedLevel
from unity_bridge.wire.envelope import Validity

_NOT_RESEARCH = "headsets are not shown it: nobody has approved it, and this is no research session (--research)"


class SweepSide:
    """Keeps what headsets are offered as the sweep is.

    The surface hangs from `reference`, where it was measured: it needs no registration and stays where it is when one
    is renewed. Where the registration changes while it, or the reference, is in doubt, the reference may have been
    moved on the patient. What was swept before would then be shown where it is not, so the sweep is given up.

    Args:
        live: the process.
        research_session: whether what nobody has approved may be offered.
    """

    def __init__(self, live: LiveSweep, *, research_session: bool) -> None:
        self._live, self._research = live, research_session
        self._why_not = ""
        self._lines: list[tuple[str, str]] = []
        self._levels: tuple[EncodedLevel, ...] = ()
        self._is_wanted = self._is_offered = False
        self._registration_id = self._doubt = self._why_withdrawn = ""

    @property
    def process(self) -> ChildState:
        """How its process stands."""
        if self._why_not:
            return replace(self._live.state, is_running=False, why=self._why_not)
        return self._live.state

    @property
    def standing(self) -> SweepStanding:
        """How the sweep stands."""
        return replace(self._live.standing, is_offered=self._is_offered)

    def toggle(self) -> None:
        """Begins a sweep, or ends the one that runs."""
        try:
            self.order(not self._live.is_running)
        except EventRefusedError as error:
            self._say(f"No sweep: {error.came}", WARNING)

    def order(self, wanted: bool) -> str:
        """Begins a sweep, in place of the one before, or ends it; returns what was done.

        Raises:
            EventRefusedError: one runs already, none does, or there can be none.
        """
        if self._why_not:
            raise EventRefusedError(self._why_not, "a sweep process that runs", "end the service, and start it again")
        if wanted == self._live.is_running:
            came = "a sweep that runs already" if wanted else "no sweep that runs"
            raise EventRefusedError(
                came, "one that is begun, and then ended", "end it first" if wanted else "begin one"
            )
        if wanted and not self._live.is_ready:
            raise EventRefusedError("a sweep while its process is loading", "one that waits for it", "try in a moment")
        if not wanted:
            self._live.end()
            said = "the sweep ends"
        else:
            self._levels, self._is_wanted, self._why_withdrawn = (), True, "another sweep has begun"
            self._live.begin(f"{datetime.now():sweep_%Y-%m-%d_%H-%M-%S}")
            said = "the sweep begins" if self._research else f"the sweep begins; {_NOT_RESEARCH}"
        self._say(f"ultrasound: {said}")
        return said

    def withdraw(self) -> None:
        """Headsets are shown it no more, until the next sweep begins."""
        self._give_up("the operator has withdrawn it")

    def poll(self, service: NavigationService, screen: OperatorScreen) -> None:
        """Offers what the process has made, and tells the operator what is new."""
        state = service.state
        state.sweep = self.order
        self._follow(state)
        for became in self._came(screen):
            if isinstance(became, Swept):
                self._levels, self._why_withdrawn = became.levels, "nothing of the sweep reaches the level"
                self._offer(state)
            else:
                self._take_kept(became)
        if self._is_offered and not (self._is_wanted and self._levels):
            self._is_offered = False
            state.withdraw_measured(SWEEP, self._why_withdrawn)
        for line, style in self._lines:
            screen.say(line, style)
        self._lines.clear()

    def _came(self, screen: OperatorScreen) -> Sequence[Swept | Kept]:
        if self._why_not:
            return ()
        try:
            came, lines = self._live.poll()
        except SurgNavError as error:
            self._why_not, self._levels = error.came, ()
            self._live.close()
            screen.say(f"No ultrasound sweep: {error}", WARNING)
            return ()
        for line, is_bad in lines:
            screen.say(line, WARNING if is_bad else PLAIN)
        return came

    def _offer(self, state: SessionState) -> None:
        if not (self._research and self._is_wanted and self._levels):
            return
        try:
            state.offer_measured(self._levels)
        except SurgNavError as error:  # one surface too many
            self._say(f"the sweep's surface is not on offer: {error.came}", WARNING)
            return
        if not self._is_offered:
            self._say(f"on offer, not approved: '{SWEEP}', as measured relative to the {REFERENCE}")
        self._is_offered = True

    def _follow(self, state: SessionState) -> None:
        """Gives the sweep up where the reference may have been moved since."""
        if state.registration_id != self._registration_id:
            self._registration_id = state.registration_id
            if self._is_wanted and self._doubt:
                self._give_up(f"the registration has changed while in doubt ({self._doubt}): sweep again")
            elif self._is_wanted:
                stays = f"the registration has changed, and '{SWEEP}' stays where it was measured"
                self._say(f"{stays}: if the {REFERENCE} was moved on the patient, sweep again", WARNING)
        states = state.registration, state.tools.get(REFERENCE, (Validity.LOST, ""))
        doubts = [reason for validity, reason in states if validity is Validity.SUSPECT]
        if doubts or states[-1][0] is Validity.VALID:
            self._doubt = doubts[0] if doubts else ""

    def _give_up(self, why: str) -> None:
        if self._live.is_running:
            self._live.end()
        if self._is_wanted:
            self._is_wanted, self._why_withdrawn = False, why
            self._say(f"'{SWEEP}' is withdrawn: {why}", WARNING)

    def _take_kept(self, kept: Kept) -> None:
        if kept.path is not None:
            self._say(f"the sweep is kept: {kept.path}")
            return
        self._say(f"the sweep is not kept: {kept.problem}", WARNING)
        if kept.is_lost:
            self._levels, self._why_withdrawn = (), kept.problem

    def _say(self, line: str, style: str = PLAIN) -> None:
        self._lines.append((line, style))
