"""Doubts a registration that is old, or that nobody has shown to hold for the reference and the stylus of this room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from navigation.devices.driver import Device
from navigation.devices.tracker import TrackerFrame
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.supervisor import Judgement
from navigation.room.instruments import instruments_of, tips_apart_mm, why_other_marker
from registration.record.accepted import Evidence, Instrument
from unity_bridge.wire.envelope import Validity

# A patient is registered and operated on in one day: what was fixed yesterday was taken off, or worked loose.
OLDEST = timedelta(hours=24)
# Clocks of the machines of one room differ by less.
_TO_COME = timedelta(minutes=5)
_LOOK_EVERY_NS = 10_000_000_000


class RegistrationWatch:
    """Satisfies `navigation.live.supervisor.Watch`. It ends with another registration, or a touch that verifies it.

    Such a touch is written into the case with what it was made with, and comes from there as new evidence; so it holds
    after a new start as well.

    Args:
        devices: of the room.
        graph: calibrations and registration at the start.
        now: the time of day at the first judgement, with its zone.
    """

    def __init__(self, devices: Sequence[Device], graph: PoseGraph, now: datetime) -> None:
        self._devices, self._graph, self._now = tuple(devices), graph, now
        self._began_ns: int | None = None
        self._due_ns: int | None = None
        self._held: Mapping[str, Judgement] = {}

    def follow(self, graph: PoseGraph) -> None:
        """Other calibrations, or another registration or new evidence for it, are in force."""
        self._graph, self._due_ns = graph, None

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        """Frames say nothing about it."""

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        self._began_ns = now_ns if self._began_ns is None else self._began_ns
        if self._due_ns is None or now_ns >= self._due_ns:
            self._due_ns = now_ns + _LOOK_EVERY_NS
            why = "; ".join(self._why(self._now + timedelta(microseconds=(now_ns - self._began_ns) / 1_000)))
            held = Judgement(Validity.SUSPECT, f"{why}: verify the registration with a touch, or register anew")
            self._held = {PATIENT: held} if why else {}
        return self._held

    def _why(self, now: datetime) -> Iterator[str]:
        registration = self._graph.registration
        if registration is None:
            return
        evidence = registration.evidence
        if evidence is None:
            yield "it is not known when and with what it was measured"
            return
        yield from _why_old(evidence, now)
        then = evidence.instruments
        stylus = "" if then.stylus is None else then.stylus.name
        tip = self._graph.tips.get(stylus)
        told = () if tip is None else (tip.T_tool_tip, tip.expected_error_mm)
        instruments = instruments_of(self._devices, stylus, *told)
        if then.reference is None:
            yield "it is not known with which reference it was measured"
        elif instruments.reference is None or (other := why_other_marker(then.reference, instruments.reference)):
            yield f"it was measured with a reference {'of another room' if instruments.reference is None else other}"
        if then.stylus is None:
            yield "it is not known with which stylus it was measured"
        elif instruments.stylus is not None:
            yield from _why_other_stylus(then.stylus, instruments.stylus)


def _why_old(evidence: Evidence, now: datetime) -> Iterator[str]:
    try:
        age = now - datetime.fromisoformat(evidence.time)
    except (ValueError, TypeError):  # no time, or one without a zone
        yield f"it is not known when it was measured: {evidence.time[:40]!r}"
        return
    if age > OLDEST:
        yield f"it was measured or verified {age.total_seconds() / 3600.0:.0f} hours ago"
    elif age < -_TO_COME:
        yield f"it was measured on {evidence.time}, which is to come: a clock is or was wrong"


def _why_other_stylus(then: Instrument, now: Instrument) -> Iterator[str]:
    if other := why_other_marker(then, now):
        yield f"it was measured with '{now.name}' {other}"
        return
    if now.tip_mm is None:
        return  # nothing is shown by a tip that there is not
    apart = tips_apart_mm(then, now)
    if apart is None:
        yield f"it is not known how far the tip of '{now.name}' is from where it was then"
    elif apart[0] > apart[1]:
        yield f"the tip of '{now.name}' is {apart[0]:.1f} mm from where it was then; {apart[1]:.1f} mm are expected"
