"""Updates surfaces on offer and the registration in force from the case, and tells the operator what changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, Clock
from navigation.live.offers.case_view import CaseView, Standing
from navigation.live.offers.case_watch import CaseWatch
from navigation.live.offers.level_maker import LevelMaker, LevelRequest, Prepared
from navigation.live.session_state import OfferedSurface, SessionState
from navigation.terminal.foreign_text import quoted, shown
from registration.record.accepted import AcceptedRegistration
from unity_bridge.surfaces.levels import EncodedLevel

_AGAIN_AFTER_NS = 10 * NS_PER_S
_MOST_NAMES = 8  # names in one line; 'surgnav review' lists them all
_MOST_PREPARED = 128  # about 5 MB each


@dataclass(frozen=True)
class News:
    """A line for the operator; `is_bad` if it says that something is not shown, or no longer."""

    line: str
    is_bad: bool = False


class CaseFollower:
    """Makes the session's state follow the case. Call `poll` often; it waits neither for the case nor for a surface.

    Suggested surfaces are prepared too, after those that may be shown, so that an approval takes effect at once.

    Args:
        watch: reads the case.
        maker: prepares surfaces.
        state: the state of the service.
        clock: times the repetition of failed preparations.
        research_session: offers suggested surfaces as well.
    """

    def __init__(
        self, watch: CaseWatch, maker: LevelMaker, state: SessionState, clock: Clock, *, research_session: bool
    ) -> None:
        self._watch, self._maker, self._state, self._clock = watch, maker, state, clock
        self._research = research_session
        self._view: CaseView | None = None
        self._levels: dict[str, tuple[EncodedLevel, ...]] = {}  # hash of the case's file -> levels
        self._failed: dict[str, tuple[str, int]] = {}  # hash of the case's file -> reason and time of the failure
        self._said: dict[str, str] = {}  # structure -> its state as the operator was told last
        self._said_trouble, self._said_empty = "", False
        self._said_registration: tuple[AcceptedRegistration | None, str] | None = None

    @property
    def view(self) -> CaseView | None:
        """The case as it was last seen; None before the first look."""
        return self._view

    def poll(self) -> tuple[News, ...]:
        """Takes in a new state of the case and prepared surfaces, and returns the lines for the operator."""
        prepared = self._maker.poll()
        if prepared is not None:
            self._keep(prepared)
        view = self._watch.poll(self._state.decisions)
        news = () if view is None else self.follow(view)
        if self._view is not None and not self._maker.is_busy:
            self._prepare_next(self._view)
        return news

    def follow(self, view: CaseView) -> tuple[News, ...]:
        """Updates the session's state to that of the case where they differ; returns the lines for the operator."""
        self._view = view
        self._state.update(replace(self._state.graph, registration=view.registration), view.problem)
        wanted = {standing.structure: standing for standing in view.surfaces if self._may(standing)}
        for name in self._state.offered:
            if name not in wanted:
                self._state.withdraw_surface(name, self._why_withdrawn(view, name))
            elif self._state.offered[name] != wanted[name].sha256:
                self._state.withdraw_surface(name, "another version was approved")
        for name, standing in wanted.items():
            self._offer(name, standing)
        return tuple(self._news(view))

    def _offer(self, name: str, standing: Standing) -> None:
        levels = self._levels.get(standing.sha256)
        if levels is None:
            return
        try:
            self._state.offer_surface(OfferedSurface(name, levels, standing.sha256), standing.state, standing.person)
        except SurgNavError as error:  # such as one surface too many: the others stay on offer
            self._failed[standing.sha256] = f"{error.came}; expected {error.allowed}", self._clock.now_ns()

    # --------------------------------------------------------------------------------------------------------- prepare
    def _may(self, standing: Standing) -> bool:
        return standing.may_be_offered(self._research)

    def _keep(self, prepared: Prepared) -> None:
        sha256 = prepared.request.sha256
        if prepared.problem:
            self._failed[sha256] = prepared.problem, self._clock.now_ns()
            return
        self._failed.pop(sha256, None)
        self._levels[sha256] = prepared.levels

    def _prepare_next(self, view: CaseView) -> None:
        """Drops levels of surfaces that the case no longer has, and starts to prepare the next missing one."""
        if view.trouble:
            return
        known = {standing.sha256 for standing in view.surfaces}
        self._levels = {sha256: levels for sha256, levels in self._levels.items() if sha256 in known}
        self._failed = {sha256: failed for sha256, failed in self._failed.items() if sha256 in known}
        if len(self._levels) < _MOST_PREPARED and (standing := self._next(view)) is not None:
            self._maker.start(LevelRequest(standing.structure, standing.path, standing.sha256))

    def _next(self, view: CaseView) -> Standing | None:
        def is_due(standing: Standing) -> bool:
            _, failed_ns = self._failed.get(standing.sha256, ("", self._clock.now_ns() - _AGAIN_AFTER_NS))
            due = self._clock.now_ns() - failed_ns >= _AGAIN_AFTER_NS
            return due and not standing.problem and standing.sha256 not in self._levels

        for wanted in (self._may, lambda standing: standing.state == "suggested"):
            found = next((standing for standing in view.surfaces if wanted(standing) and is_due(standing)), None)
            if found is not None:
                return found
        return None

    # ------------------------------------------------------------------------------------------------------------ tell
    def _why_withdrawn(self, view: CaseView, name: str) -> str:
        standing = next((standing for standing in view.surfaces if standing.structure == name), None)
        if standing is None:
            return view.problem if view.trouble else "the case has no such surface any more"
        return standing.why_not

    def _news(self, view: CaseView) -> Iterator[News]:
        if view.trouble != self._said_trouble:
            self._said_trouble = view.trouble
            yield News(f"The case: {view.trouble}", is_bad=True) if view.trouble else News("The case can be read again")
        yield from self._news_of_surfaces(view)
        told = (view.registration, view.problem)
        if told != self._said_registration:
            self._said_registration = told
            yield _registration_news(view)

    def _news_of_surfaces(self, view: CaseView) -> Iterator[News]:
        """Lines on surfaces whose state has changed; those with the same new state share a line."""
        before, self._said = self._said, {standing.structure: self._where(standing) for standing in view.surfaces}
        if gone := [name for name in before if name not in self._said and not view.trouble]:
            yield News(f"{_names(gone)}: no longer in the case", is_bad=True)
        changed: dict[str, list[str]] = {}
        for name, where in self._said.items():
            if where != before.get(name):
                changed.setdefault(where, []).append(name)
        for where, names in changed.items():
            yield News(f"{_names(names)}: {where}", is_bad=where.startswith("not"))
        is_empty = not any(map(self._may, view.surfaces))
        if is_empty and not self._said_empty:
            why = "the case cannot be read" if view.trouble else "approve one in the case: surgnav review"
            yield News(f"No surface is on offer: {why}", is_bad=True)
        self._said_empty = is_empty

    def _where(self, standing: Standing) -> str:
        """The state of one surface in a few words, for the operator."""
        if not self._may(standing):
            return f"not on offer: {standing.why_not}"
        if standing.structure in self._state.offered:
            by = f" by {shown(standing.person, 40)}" if standing.person else ""
            return f"on offer, {standing.state}{by}"
        failed = self._failed.get(standing.sha256)
        return f"not on offer: {failed[0]}" if failed else "preparing for headsets"


def _registration_news(view: CaseView) -> News:
    accepted = view.registration
    if accepted is None:
        return News(f"The patient is not shown: {view.problem} (surgnav register)", is_bad=True)
    error = "" if accepted.expected_error_mm is None else f", expected 95 % error {accepted.expected_error_mm:.2f} mm"
    by = shown(accepted.accepted_by, 40)
    return News(f"registration {accepted.registration_id}, {accepted.level}, by {by}{error}")


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(quoted(name, 64) for name in names[:_MOST_NAMES]) + more
