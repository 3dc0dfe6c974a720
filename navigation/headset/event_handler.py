"""Carries out each event from a headset, or refuses it with what came, what is allowed and what to do.

A decision on a surface and a verification touch are carried out in a person's name only if the operator's settings name
that person. A change of the case takes about a second, since a case checks its files first: one worker thread makes the
changes one after the other, and the client is told when each is done.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from case.manifest import Signature
from geometry.errors import SurgNavError
from geometry.frames import CT, HEADSET, REFERENCE
from geometry.points import Floats
from navigation.headset import case_work
from navigation.headset.case_work import Touch, Verified
from navigation.headset.journal import EventJournal
from registration.assumptions import Assumptions
from registration.record.accepted import Instruments
from unity_bridge.control.event_handler import Sender
from unity_bridge.control.event_window import Known, Outcome, answer_of
from unity_bridge.errors import EventRefusedError
from unity_bridge.wire.convention import points_from_unity
from unity_bridge.wire.messages import ClientEvent

_SWEEPS = ("begin", "end")


@dataclass(frozen=True, kw_only=True)
class HeadsetEventSettings:
    """What headsets may do.

    Attributes:
        case: the folder of the case, with its event log.
        assumptions: errors of a verification touch, as `surgnav register` assumes them.
        deciders: full names of the people who may decide on surfaces and verify the registration from a headset; by
            default nobody, so that this is done at the console.
    """

    case: Path
    deciders: frozenset[str] = frozenset()
    assumptions: Assumptions = field(default_factory=Assumptions)


@dataclass(frozen=True)
class OnOffer:
    """A surface that clients may pull.

    Attributes:
        sha256: hash of its payload.
        case_sha256: hash of the case's surface from which the payload was made.
    """

    sha256: str
    case_sha256: str


class SessionControl(Protocol):
    """What the event handler needs of the service that runs it."""

    @property
    def registration_id(self) -> str:
        """Id of the registration in force; empty if there is none."""
        ...

    @property
    def trajectories(self) -> tuple[str, ...]:
        """Names of the trajectories that may be selected like targets."""
        ...

    def surface_on_offer(self, name: str) -> OnOffer | None: ...
    def tip_error_mm(self, tool: str) -> float | None:
        """Expected RMS error in mm of a tracked tool's calibrated tip; None without a calibration."""
        ...

    def instruments(self, tool: str) -> Instruments:
        """The reference and this tool, as a touch with it is recorded."""
        ...

    def surface_decided(self, name: str, decision: str, person: str) -> None: ...
    def withdraw_registration(self, reason: str) -> None: ...
    def registration_verified(self, tool: str) -> None:
        """A touch with this tool has shown that the registration in force holds."""
        ...

    def tip_in_tracker(self, tool: str, at_ns: int) -> Future[Floats]:
        """Where the tip of a tool was held, ``(3,)`` in ``tracker``, at a time in ns on this machine's clock."""
        ...

    def point_touched(self, sender: Sender, shown_headset_mm: Floats, tip_tracker_mm: Floats, anchor: str) -> str:
        """What the touch of a point that a headset shows says of its overlay, in a sentence."""
        ...

    def select_target(self, name: str) -> None: ...
    def open_request(self, text: str) -> None: ...
    def order_sweep(self, wanted: bool) -> str:
        """Begins or ends an ultrasound sweep, and says what was done."""
        ...


@dataclass(frozen=True)
class Settled:
    """The outcome of an event that the worker carried out, for `ControlServer.settle` and for the operator."""

    event: ClientEvent
    sender: Sender
    outcome: Outcome


@dataclass(frozen=True, eq=False)
class _Work:
    """An event that the worker carries out. `follow` then updates the session's state and returns the answer's note."""

    event: ClientEvent
    sender: Sender
    future: Future[Any]
    follow: Callable[[Any], str]


class HeadsetEventHandler:
    """Satisfies `unity_bridge.control.event_handler.EventHandler`; call `poll` often.

    Args:
        settings: the case, and who may decide.
        session: id of the service's session, hexadecimal.
        now: returns the time, ISO 8601 with a time zone.
        state: the state of the service.

    Attributes:
        problem: why the last event could not be written to the log and was refused; empty if it was written.

    Raises:
        ServiceError: another service writes to the case's event log.
        EventLogError: the event log cannot be written.
    """

    def __init__(
        self, settings: HeadsetEventSettings, session: str, now: Callable[[], str], state: SessionControl
    ) -> None:
        self._settings, self._now, self._state = settings, now, state
        self._journal = EventJournal(settings.case, session, now())
        self._worker = ThreadPoolExecutor(1, "surgnav-headset-events")
        self._work: list[_Work] = []
        self.problem = ""
        self._kinds: dict[str, Callable[[ClientEvent, Sender], Outcome | None]] = {
            "landmark_touched": self._touched,
            "landmark_picked": self._picked,
            "verify_touch": self._verify,
            "decide_surface": self._decide,
            "request_registration": self._request,
            "select_target": self._select,
            "ultrasound_sweep": self._sweep,
            "target_touched": self._point_touched,
        }

    @property
    def sessions(self) -> set[str]:
        return self._journal.sessions

    def earlier(self, key: str, stream: str) -> tuple[Known, ...]:
        return self._journal.earlier(key, stream)

    def handle(self, event: ClientEvent, sender: Sender) -> Outcome | None:
        """As in the Protocol. The event is in the log before it is carried out, and its answer after."""
        details: dict[str, Any] = {}
        if event.position_m is not None:
            details["position_mm"] = points_from_unity(event.position_m).tolist()
        self._begin(event, sender, details)
        try:
            kind = self._kinds.get(event.kind)
            if kind is None:
                raise _refused(
                    f"the event '{event.kind[:40]}'", f"one of {', '.join(self._kinds)}", "update this service"
                )
            outcome = kind(event, sender)
        except SurgNavError as error:
            outcome = Outcome(error=error)
        except OSError as error:
            outcome = Outcome(error=_out_of_reach(error))
        if outcome is not None:
            self._journal.end(answer_of(event.stream, event.number, outcome), sender, self._now())
        return outcome

    def _begin(self, event: ClientEvent, sender: Sender, details: dict[str, Any]) -> None:
        try:
            self._journal.begin(event, sender, self._now(), details)
        except EventRefusedError as error:
            self.problem = error.came
            raise
        self.problem = ""

    def poll(self) -> tuple[Settled, ...]:
        """The events that the worker has finished since the last call, after their effects on the session's state."""
        finished = [work for work in self._work if work.future.done()]
        self._work = [work for work in self._work if not work.future.done()]
        return tuple(map(self._settle, finished))

    def close(self) -> None:
        """Waits for the worker, writes the outcomes of its events, and closes the log. May be called again."""
        self._worker.shutdown(wait=True)
        self.poll()
        self._journal.close()

    def _settle(self, work: _Work) -> Settled:
        event, sender = work.event, work.sender
        try:
            outcome = Outcome(work.follow(work.future.result()))
        except SurgNavError as error:
            outcome = Outcome(error=error)
        except OSError as error:
            outcome = Outcome(error=_out_of_reach(error))
        self._journal.end(answer_of(event.stream, event.number, outcome), sender, self._now())
        return Settled(event, sender, outcome)

    # ----------------------------------------------------------------------------------------------------------- kinds
    def _touched(self, event: ClientEvent, sender: Sender) -> Outcome:
        _need(event, "name", "position_m", "tool")
        _need_frame(event, REFERENCE)
        self._planned(event.name, "landmarks")
        self._tip_error_mm(event.tool)
        return Outcome(f"the touch of '{event.name}' is in the case's event log; no registration is made from it yet")

    def _picked(self, event: ClientEvent, sender: Sender) -> Outcome:
        _need(event, "name", "position_m")
        _need_frame(event, CT)
        return Outcome(f"'{event.name}' is in the case's event log; the plan is not changed by it")

    def _verify(self, event: ClientEvent, sender: Sender) -> None:
        _need(event, "name", "position_m", "tool", "registration_id", "person")
        _need_frame(event, REFERENCE)
        self._check_decider(event.person)
        if event.registration_id != self._state.registration_id:
            raise _refused(
                f"a touch under the registration '{event.registration_id[:40]}'",
                f"the registration in force: '{self._state.registration_id or 'none'}'",
                "touch again under the registration in force",
            )
        self._planned(event.name, "landmarks")
        tip_error_mm, instruments = self._tip_error_mm(event.tool), self._state.instruments(event.tool)
        touch = Touch(event.name, _position_mm(event), tip_error_mm, instruments)
        by, settings = Signature(event.person, self._now()), self._settings
        work = partial(case_work.verify, settings.case, touch, by, event.registration_id, settings.assumptions)
        self._start(event, sender, work)

    def _point_touched(self, event: ClientEvent, sender: Sender) -> None:
        _need(event, "name", "position_m", "tool", "anchor", "happened_ns")
        _need_frame(event, HEADSET)
        tip = self._state.tip_in_tracker(event.tool, event.happened_ns or 0)
        shown_mm = _position_mm(event)

        def follow(tip_tracker_mm: Floats) -> str:
            return self._state.point_touched(sender, shown_mm, tip_tracker_mm, event.anchor or "")

        self._work.append(_Work(event, sender, tip, follow))

    def _decide(self, event: ClientEvent, sender: Sender) -> None:
        _need(event, "name", "sha256", "person", "decision")
        self._check_decider(event.person)
        offered = self._state.surface_on_offer(event.name)
        if offered is None or offered.sha256 != event.sha256:
            raise _refused(
                f"a decision on '{event.name[:40]}' with the hash {(event.sha256 or '')[:12]}",
                f"a surface that is on offer{f', now {offered.sha256[:12]}' if offered else ''}",
                "ask for the manifest, look at the surface, and decide again",
            )
        by = Signature(event.person, self._now())
        work = partial(case_work.decide, self._settings.case, event.name, event.decision, by, offered.case_sha256)
        self._start(event, sender, work)

    def _request(self, event: ClientEvent, sender: Sender) -> Outcome:
        _need(event, "reason")
        self._state.open_request(f"registration, asked by {sender.name[:40]}: {event.reason[:200]}")
        return Outcome("the operator sees the request")

    def _select(self, event: ClientEvent, sender: Sender) -> Outcome:
        if event.name and event.name not in self._state.trajectories:
            self._planned(event.name, "targets")
        self._state.select_target(event.name)
        return Outcome(f"'{event.name}' is selected" if event.name else "no target is selected")

    def _sweep(self, event: ClientEvent, sender: Sender) -> Outcome:
        if event.name not in _SWEEPS:
            raise _refused(f"a sweep to {event.name[:40]!r}", f"one of {', '.join(_SWEEPS)}", "correct the name")
        return Outcome(self._state.order_sweep(event.name == _SWEEPS[0]))

    # ---------------------------------------------------------------------------------------------------------- helpers
    def _start(self, event: ClientEvent, sender: Sender, work: Callable[[], Any]) -> None:
        follow = self._after_decision if event.kind == "decide_surface" else self._after_verification
        self._work.append(_Work(event, sender, self._worker.submit(work), partial(follow, event)))

    def _after_decision(self, event: ClientEvent, done: str) -> str:
        self._state.surface_decided(event.name, event.decision, event.person)
        return done

    def _after_verification(self, event: ClientEvent, found: Verified) -> str:
        if not found.problem:
            self._state.registration_verified(event.tool)
            return found.note
        self._state.withdraw_registration(f"{found.note}: {found.problem}")
        return f"{found.note}; the registration is withdrawn: {found.problem}"

    def _check_decider(self, person: str) -> None:
        if person not in self._settings.deciders:
            allowed = ", ".join(sorted(self._settings.deciders))
            raise _refused(
                f"a decision by '{person[:40]}' from a headset",
                f"decisions by {allowed}" if allowed else "no decisions from a headset in this session",
                "decide at the console: surgnav review, surgnav register",
            )

    def _planned(self, name: str, kind: str) -> Floats:
        known = case_work.planned(self._settings.case, kind)
        if name not in known:
            raise _refused(
                f"the name '{name[:40]}'",
                f"one of the planned {kind}: {', '.join(known) or 'none'}",
                f"choose one of the planned {kind}, or plan it",
            )
        return known[name]

    def _tip_error_mm(self, tool: str) -> float:
        error_mm = self._state.tip_error_mm(tool)
        if error_mm is None:
            raise _refused(
                f"a touch with '{tool[:40]}'", "a tracked tool with a calibrated tip", "calibrate the tool first"
            )
        return error_mm


def _need(event: ClientEvent, *names: str) -> None:
    missing = [name for name in names if getattr(event, name) in (None, "")]
    if missing:
        raise _refused(
            f"the event '{event.kind}' without {', '.join(missing)}",
            f"all of {', '.join(names)}",
            "fill in the missing fields",
        )


def _need_frame(event: ClientEvent, frame: str) -> None:
    if event.frame != frame:
        raise _refused(
            f"a position in the frame '{event.frame[:40]}'",
            f"a position in '{frame}'",
            f"give the position relative to the Transform of '{frame}'",
        )


def _position_mm(event: ClientEvent) -> Floats:
    return points_from_unity(np.array(event.position_m))


def _out_of_reach(error: OSError) -> EventRefusedError:
    return _refused(
        f"a failure of the case's folder: {error.strerror}",
        "a case that can be read and written",
        "check the folder and the disk",
    )


def _refused(came: str, allowed: str, action: str) -> EventRefusedError:
    return EventRefusedError(came, allowed, action)
