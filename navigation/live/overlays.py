"""What headsets may show of the tracker's world: as their calibrations in the rack say, for as long as these hold.

It fails closed: a headset is told where the tracker is in its world in answer to what it sends, and only while its
calibration is in force and `HeadsetWatch` has no doubt; otherwise it is told why not, and so is the operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from calibration.headset.outcome import from_result
from calibration.headset.watch import HeadsetWatch, Holds, Verdict
from calibration.rack import age, in_force
from calibration.result import CalibrationResult, Kind
from geometry.clock import Clock
from geometry.errors import SurgNavError
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.devices.driver import Device
from navigation.devices.headset import HEADSET_DRIVER
from navigation.devices.headset.desk import ObservationDesk
from navigation.live.state_changes import State
from navigation.terminal.foreign_text import fit_for_the_wire
from unity_bridge.control.event_handler import Sender
from unity_bridge.errors import EventRefusedError
from unity_bridge.wire.convention import pose_numbers
from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.messages import HeadsetAlignment, ToolObservations

KIND: Kind = "headset_to_tracker"
_LOOK_EVERY_NS = NS_PER_S // 2


class Overlays:
    """Satisfies `unity_bridge.control.observations.Observer` for the headsets that another device leads.

    The device that sees the reference gives the frame ``tracker``; where it is a headset, its poses are in that
    headset's own world already, and it gets no answer.

    Args:
        desk: takes what the headsets see.
        devices: of the room, the one that sees the reference first.
        rack: the room's calibrations; None if it names none. What is put there later is in force within a second.
        clock: times the silences.
        now: tells the local time, for the ages of calibrations.
    """

    def __init__(
        self,
        desk: ObservationDesk,
        devices: Iterable[Device],
        rack: Path | None,
        clock: Clock,
        now: Callable[[], datetime],
    ) -> None:
        self._desk, self._clock, self._now = desk, clock, now
        self._headsets = _overlays(devices, rack)
        self._looked_ns = clock.now_ns()

    def take(self, message: ToolObservations, sender: Sender, stream: str, received_ns: int) -> HeadsetAlignment | None:
        """As in the Protocol; raises as `ObservationDesk.take`."""
        self._desk.take(message, sender, stream, received_ns)
        overlay = self._headsets.get(self._desk.device_of(sender).name)
        return None if overlay is None else overlay.answer(message.anchor, received_ns / NS_PER_S, self._now())

    def left(self, sender: Sender, stream: str, reason: str) -> None:
        self._desk.left(sender, stream, reason)

    def point_touched(self, sender: Sender, shown_headset_mm: Floats, tip_tracker_mm: Floats, anchor: str) -> str:
        """A point ``(3,)`` that this headset shows was touched with a tip, ``(3,)`` in ``tracker``: what that says.

        It compares the headset's world with the tracker's, and so settles what is doubted of the headset's anchor, or
        ends the calibration. A touch that verifies the registration compares neither with the other.

        Raises:
            EventRefusedError: this headset shows nothing by a calibration.
            ObservationsRefusedError: it is none of the room.
        """
        overlay = self._headsets.get(self._desk.device_of(sender).name)
        if overlay is None:
            raise EventRefusedError("the touch of a point at a headset that leads the room", "one that is led", "none")
        return overlay.point_touched(shown_headset_mm, tip_tracker_mm, anchor)

    def camera_moved(self) -> None:
        """The camera that sees the reference was moved: what was calibrated before holds no more."""
        for overlay in self._headsets.values():
            overlay.camera_moved(self._now())

    @property
    def states(self) -> tuple[State, ...]:
        """The state of each headset's overlay with its reason, as of a tool: it is shown where it is valid only."""
        return tuple((f"{name} overlay", *overlay.state) for name, overlay in self._headsets.items())

    def lines(self) -> Iterator[tuple[str, bool]]:
        """What is new for the operator, and whether it is bad; call it often."""
        now_ns = self._clock.now_ns()
        is_due = now_ns - self._looked_ns >= _LOOK_EVERY_NS
        self._looked_ns = now_ns if is_due else self._looked_ns
        for overlay in self._headsets.values():
            if is_due:
                overlay.look()
                overlay.age(now_ns / NS_PER_S)
            yield from overlay.news(self._now())


def calibration_lines(devices: Iterable[Device], rack: Path | None, now: datetime) -> Iterator[tuple[str, bool]]:
    """What the rack has for each headset that another device leads, in a line, and whether that is bad.

    Args:
        devices: of the room, the one that sees the reference first.
    """
    for overlay in _overlays(devices, rack).values():
        yield from overlay.news(now)


def _overlays(devices: Iterable[Device], rack: Path | None) -> dict[str, _Overlay]:
    led = (device for device in tuple(devices)[1:] if device.driver == HEADSET_DRIVER)
    return {device.name: _Overlay(device.name, rack) for device in led}


@dataclass(frozen=True)
class _InForce:
    """A calibration that is in force, and whether it still holds."""

    result: CalibrationResult
    watch: HeadsetWatch
    aligned: HeadsetAlignment  # as long as it holds

    @classmethod
    def of(cls, result: CalibrationResult) -> _InForce:
        """Raises:
        CalibrationResultError: what was accepted cannot be watched.
        """
        found = from_result(result)
        numbers = pose_numbers(found.T_headset_tracker)
        aligned = HeadsetAlignment(
            validity=Validity.VALID,
            anchor=found.anchor,
            position_m=numbers[:3],
            rotation_xyzw=numbers[3:],
            expected_p95_mm=result.numbers["expected_error_p95_mm"],
        )
        return cls(result, HeadsetWatch(found), aligned)

    def made(self, now: datetime) -> str:
        return f"{self.result.made}, {age(self.result.made_at, now)}"


class _Overlay:
    """Of one headset, by its name in the room."""

    def __init__(self, name: str, rack: Path | None) -> None:
        self._name, self._rack = name, rack
        self._stamp: int | None = None
        self._moved_at: datetime | None = None
        self._in_force: _InForce | None = None
        self._problem = ""
        self._said = ""
        self.look()

    def look(self) -> None:
        """Takes what is in force in the rack, if anything has changed there."""
        stamp = self._stamp_of_rack()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            result = in_force(self._rack, self._name, KIND) if self._rack is not None and stamp else None
            if result is None:
                self._in_force, self._problem = None, self._missing()
            elif self._in_force is None or result != self._in_force.result:
                self._in_force, self._problem = _InForce.of(result), ""
                self._end_what_is_older()
        except SurgNavError as error:
            self._in_force, self._problem = None, str(error)

    def point_touched(self, shown_headset_mm: Floats, tip_tracker_mm: Floats, anchor: str) -> str:
        """As of `Overlays`."""
        if self._in_force is None:
            raise EventRefusedError("the touch of a shown point", "a calibration in force", self._problem)
        return self._in_force.watch.check(shown_headset_mm, tip_tracker_mm, anchor).line

    def camera_moved(self, now: datetime) -> None:
        """Ends what was calibrated before now."""
        self._moved_at = now
        self._end_what_is_older()

    def _end_what_is_older(self) -> None:
        if self._in_force is not None and self._moved_at is not None and self._in_force.result.made_at < self._moved_at:
            self._in_force.watch.camera_moved()

    @property
    def state(self) -> tuple[Validity, str]:
        """Valid where the overlay is shown, suspect where its calibration is doubted, lost where there is none."""
        if self._in_force is None:
            return Validity.LOST, self._problem
        verdict = self._in_force.watch.verdict
        if verdict.holds is Holds.YES:
            return Validity.VALID, ""
        is_doubted = verdict.holds is Holds.DOUBTFUL and self._in_force.watch.has_heard
        return Validity.SUSPECT if is_doubted else Validity.LOST, _why(verdict)

    def _stamp_of_rack(self) -> int:
        """Changes with every result that is written: 0 as long as there is none."""
        try:
            return 0 if self._rack is None else (self._rack / self._name / KIND).stat().st_mtime_ns
        except OSError:
            return 0

    def _missing(self) -> str:
        if self._rack is None:
            return (
                'the room file names no rack, which would have its calibration. Fix: add rack = "rack" and calibrate it'
            )
        others = sorted({path.parent.parent.name for path in self._rack.glob(f"*/{KIND}/*.json")})
        has = f", which has those of {', '.join(others)}" if others else ""
        command = f"surgnav calibrate headset --name {self._name}"
        return f"no accepted calibration of '{self._name}' in {self._rack.name}{has}. Fix: calibrate it: {command}"

    def answer(self, anchor: str, time_s: float, now: datetime) -> HeadsetAlignment:
        """For a headset whose world is where `anchor` says, and that was heard at a time in s."""
        if self._in_force is None:
            return HeadsetAlignment(validity=Validity.LOST, reason=fit_for_the_wire(self._problem))
        verdict, calibrated = self._in_force.watch.hear(anchor, time_s), self._in_force.made(now)
        if verdict.holds is Holds.YES:
            return replace(self._in_force.aligned, calibrated=calibrated)
        return HeadsetAlignment(validity=Validity.LOST, reason=fit_for_the_wire(_why(verdict)), calibrated=calibrated)

    def age(self, time_s: float) -> None:
        """Nothing was heard of it at a time in s."""
        if self._in_force is not None:
            self._in_force.watch.age(time_s)

    def news(self, now: datetime) -> Iterator[tuple[str, bool]]:
        """Its state in a line, and whether that is bad, if it was not said yet."""
        verdict = None if self._in_force is None else self._in_force.watch.verdict
        state = self._problem if self._in_force is None else f"{self._in_force.result.made} {verdict}"
        if state == self._said:
            return
        self._said = state
        if self._in_force is None or verdict is None:
            yield f"'{self._name}' shows no overlay: {self._problem}", True
        elif verdict.holds is Holds.YES:
            within_mm = self._in_force.aligned.expected_p95_mm
            made = self._in_force.made(now)
            yield f"'{self._name}' shows the overlay, calibrated {made}: 95 of 100 within {within_mm:.1f} mm", False
        elif self._in_force.watch.has_heard:
            yield f"'{self._name}' shows no overlay: {_why(verdict)}", True
        else:
            yield f"'{self._name}' has a calibration of {self._in_force.made(now)}; it is waited for", False


def _why(verdict: Verdict) -> str:
    return f"{verdict.reason}. Fix: {verdict.action}"
