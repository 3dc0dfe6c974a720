"""Findings that the operator of ``surgnav serve`` marks in live ultrasound, kept in the case."""

from __future__ import annotations

from collections.abc import Iterable

from case.case import Case
from case.findings.finding import MarkedIn
from case.manifest import Signature
from geometry.errors import SurgNavError
from navigation.commands.serve.command import ServeRequest
from navigation.devices.driver import Device
from navigation.operator_screen.screen import PLAIN, WARNING, OperatorScreen
from navigation.room.instruments import instruments_of
from navigation.terminal.reporting import now
from navigation.ultrasound.findings.mark import FlatShape, Marked, keep_marks, shapes_of
from navigation.ultrasound.live.process import LiveUltrasound
from navigation.ultrasound.placing import ProbeInForce

NOBODY = "nothing is marked: start the service with --operator NAME, whose findings they are"


class MarkingSide:
    """Marks the contours of the newest frame when the operator asks for it.

    Args:
        request: names the case, and the person.
        live: the process that has the frames.
        probe: its calibrations in force.
        devices: of the room, among them the reference.
        session_id: of the service's session, in which the reference stays where it is on the patient.
    """

    def __init__(
        self,
        request: ServeRequest,
        live: LiveUltrasound,
        probe: ProbeInForce,
        devices: Iterable[Device],
        session_id: bytes,
    ) -> None:
        self._case, self._person, self._live = request.case, (request.operator or "").strip(), live
        reference = instruments_of(devices, "").reference
        self._marked_in = MarkedIn(
            images="live ultrasound",
            session=session_id.hex(),
            probe=probe.name,
            calibrated=probe.spatial.made,
            lag_calibrated=probe.temporal.made,
            reference_seen_by="" if reference is None else reference.seen_by,
            reference_sha256="" if reference is None else reference.marker_sha256,
        )

    def mark(self, shape: FlatShape, screen: OperatorScreen) -> None:
        """Asks for the contours of the newest frame, or for their middles."""
        if self._person:
            self._live.mark(shape)
        else:
            screen.say(NOBODY, WARNING)

    def poll(self, images: str, screen: OperatorScreen) -> None:
        """Keeps what has come.

        Args:
            images: name of their source, with the recording that they are in.
        """
        for found in self._live.take_marked():
            screen.say(*self._kept(found, images))

    def _kept(self, found: Marked, images: str) -> tuple[str, str]:
        if found.why_not:
            return f"nothing is marked: {found.why_not}", WARNING
        by, marked_in = Signature(self._person, now()), self._marked_in.model_copy(update={"images": images})
        try:
            kept = keep_marks(Case.open(self._case), found, by, marked_in)
        except (SurgNavError, OSError) as error:
            return f"nothing is marked: {error}", WARNING
        return f"marked in the case: {shapes_of(kept)}", PLAIN
