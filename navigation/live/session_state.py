"""The state of the running service: registration, lost tools, surfaces on offer, open requests. Clients are told it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from geometry.frames import REFERENCE
from geometry.points import Floats
from navigation.devices.driver import Device
from navigation.errors import ServiceError
from navigation.headset.event_handler import OnOffer
from navigation.live.overlays import Overlays
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.state_changes import StateChanges
from navigation.room.instruments import instruments_of
from navigation.terminal.foreign_text import fit_for_the_wire
from registration.record.accepted import Instruments
from unity_bridge.control.event_handler import Sender
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.errors import EventRefusedError
from unity_bridge.surfaces.levels import EncodedLevel
from unity_bridge.surfaces.server import SurfaceServer
from unity_bridge.wire.envelope import Validity

_MAX_REQUESTS = 16


@dataclass(frozen=True)
class OfferedSurface:
    """A surface with its encoded levels, coarsest first, and the hash of the case's surface they were made from."""

    name: str
    levels: Sequence[EncodedLevel]
    case_sha256: str


class SessionState:
    """Satisfies `navigation.headset.event_handler.SessionControl`. Every change is sent to all clients.

    Args:
        graph: calibrations and registration at the start.
        server: the server of the surfaces on offer.
        publish: puts another graph into force in the pose process.
        announce: sends a notice to every client.
        vouch: tells the pose process for which tools, or the reference, a touch has vouched.
        devices: of the room.

    Attributes:
        graph: calibrations and registration.
        target: the selected target, or a trajectory of the plan; empty for none.
        trajectories: names of the trajectories that may be selected.
        requests: open requests to the operator.
        sweep: begins an ultrasound sweep (True) or ends it, and says what it did; None where there can be none.
        overlays: of the headsets; None where no headset hangs from another device.
        ask_tip: asks the pose process where the tip of a tool was, ``(3,)`` in ``tracker``, at a time in ns.
        decisions: how often a headset has changed the case; a view of the case from before the last change is outdated.
    """

    def __init__(
        self,
        graph: PoseGraph,
        server: SurfaceServer,
        publish: Callable[[PoseGraph], None],
        announce: Callable[[ServerNotice], object],
        vouch: Callable[[tuple[str, ...]], object],
        devices: Sequence[Device] = (),
    ) -> None:
        self.graph = graph
        self.target = ""
        self.trajectories: tuple[str, ...] = ()
        self.requests: list[str] = []
        self.decisions = 0
        self.sweep: Callable[[bool], str] | None = None
        self.overlays: Overlays | None = None
        self.ask_tip: Callable[[str, int], Future[Floats]] | None = None
        self._surfaces: dict[str, OfferedSurface] = {}  # every surface that has been on offer
        self._server, self._publish, self._announce, self._vouch = server, publish, announce, vouch
        self._devices = devices
        self._states: dict[str, tuple[Validity, str]] = {}
        self._standings: dict[str, tuple[str, str]] = {}  # name -> (approval, person)
        self._withdrawn = ""
        self._measured: dict[str, str] = {}  # surfaces that are measured now: name -> hash

    # ------------------------------------------------------------------------------------------------------------ state
    @property
    def registration_id(self) -> str:
        return "" if self.graph.registration is None else self.graph.registration.registration_id

    @property
    def registration(self) -> tuple[Validity, str]:
        """Validity of the registration and of the reference that it needs, with the reason if it is not valid."""
        if self.graph.registration is None:
            return Validity.LOST, self._withdrawn or "not registered"
        return self._states.get(PATIENT, (Validity.VALID, ""))

    @property
    def tools(self) -> dict[str, tuple[Validity, str]]:
        """Validity and reason of each tool, as the pose process told it last."""
        return {tool: state for tool, state in self._states.items() if tool != PATIENT}

    def welcome_fields(self) -> Mapping[str, Any]:
        """This state's part of a Welcome."""
        validity, reason = self.registration
        return {
            "registration_id": self.registration_id,
            "registration_validity": validity,
            "registration_reason": reason,
            "surfaces": self._server.hashes,
            "selected_target": self.target or None,
            "open_requests": tuple(self.requests),
        }

    def tip_error_mm(self, tool: str) -> float | None:
        tip = self.graph.tips.get(tool)
        return None if tip is None else tip.expected_error_mm

    def instruments(self, tool: str) -> Instruments:
        tip = self.graph.tips.get(tool)
        return instruments_of(self._devices, tool, *(() if tip is None else (tip.T_tool_tip, tip.expected_error_mm)))

    def surface_on_offer(self, name: str) -> OnOffer | None:
        surface = self._surfaces.get(name)
        if surface is None or not self._is_on_offer(surface):
            return None
        return OnOffer(surface.levels[-1].payload.sha256, surface.case_sha256)

    @property
    def offered(self) -> dict[str, str]:
        """Name of every surface on offer -> hash of the case's surface from which it was made."""
        return {name: surface.case_sha256 for name, surface in self._surfaces.items() if self._is_on_offer(surface)}

    def _is_on_offer(self, surface: OfferedSurface) -> bool:
        return surface.levels[-1].payload.sha256 in self._server.hashes

    # ---------------------------------------------------------------------------------------------------------- changes
    def update(self, graph: PoseGraph, reason: str = "") -> None:
        """Puts a new registration or calibration into force; a new registration settles the open requests.

        A registration that differs in any field is a new one, even with the same id.

        Args:
            graph: the new calibrations and registration.
            reason: why there is no registration, if there is none.
        """
        before, self.graph = self.graph, graph
        if graph.registration is None and reason:
            self._withdrawn = fit_for_the_wire(reason)
        if graph == before:
            return
        self._publish(graph)
        if graph.registration == before.registration:
            return
        after = self.registration_id
        self._withdrawn = "" if after else self._withdrawn or "withdrawn"
        kind = "registration_changed" if after else "registration_withdrawn"
        told = after or (before.registration.registration_id if before.registration else "")
        self._announce(ServerNotice(kind=kind, registration_id=told, reason=self._withdrawn))
        if after:
            for request in list(self.requests):
                self.settle_request(request)

    def registration_verified(self, tool: str) -> None:
        self._vouch((REFERENCE, tool))

    def tip_in_tracker(self, tool: str, at_ns: int) -> Future[Floats]:
        """Where the tip of a tool was held, ``(3,)`` in ``tracker``, once the pose process has said so.

        Raises:
            EventRefusedError: no headset shows anything by a calibration here.
        """
        if self.overlays is None or self.ask_tip is None:
            raise EventRefusedError(
                "the touch of a point that a headset shows",
                "one in a room with a headset that another tracker leads",
                "name the headset in the room file",
            )
        return self.ask_tip(tool, at_ns)

    def point_touched(self, sender: Sender, shown_headset_mm: Floats, tip_tracker_mm: Floats, anchor: str) -> str:
        """What a touched point says of the headset's overlay; of the registration it says nothing."""
        if self.overlays is None:
            return ""
        return self.overlays.point_touched(sender, shown_headset_mm, tip_tracker_mm, anchor)

    def withdraw_registration(self, reason: str) -> None:
        self.decisions += 1
        self.update(replace(self.graph, registration=None), reason)

    def take_changes(self, changes: StateChanges) -> None:
        """Tells clients which tools were lost or found; the first state of a tool is not told."""
        for tool, validity, reason in changes.states:
            before = self._states.get(tool)
            self._states[tool] = (validity, reason)
            if before is None or (before[0] is Validity.VALID) == (validity is Validity.VALID):
                continue
            found = "found" if validity is Validity.VALID else "lost"
            happening = ServerNotice(
                kind=f"tool_{found}", name=tool, validity=validity, reason=reason, registration_id=self.registration_id
            )
            if tool == PATIENT:
                happening = replace(happening, kind=f"registration_{found}", name="")
            self._announce(happening)

    def surface_decided(self, name: str, decision: str, person: str) -> None:
        """Offers a surface with a person's decision, or withdraws it if the person rejected it."""
        self.decisions += 1
        if decision == "rejected":
            self.withdraw_surface(name, f"rejected by {person}", person)
        else:
            self.offer_surface(self._surfaces[name], decision, person)

    def offer_surface(self, surface: OfferedSurface, approval: str, person: str) -> None:
        """Puts a surface on offer with the case's decision on it; does nothing if it is on offer with this decision.

        Raises:
            SurfaceRefusedError: nobody approved it and this is no research session, or too many surfaces are on offer.
        """
        person = fit_for_the_wire(person)
        name, standing = surface.name, (approval, person)
        is_same = self._surfaces.get(name) == surface and self._standings.get(name) == standing
        if is_same and self._is_on_offer(surface):
            return
        self._server.offer_levels(surface.levels, approval, person)
        self._surfaces[name], self._standings[name] = surface, standing
        kind = "surface_offered" if approval == "suggested" else "surface_approved"
        self._announce(ServerNotice(kind=kind, name=name, sha256=surface.levels[-1].payload.sha256, person=person))

    def withdraw_surface(self, name: str, reason: str, person: str = "") -> None:
        """Takes a surface off offer; does nothing if it is not on offer."""
        surface = self._surfaces.get(name)
        if surface is None or not self._is_on_offer(surface):
            return
        self._server.withdraw(name)
        sha256 = surface.levels[-1].payload.sha256
        said, who = fit_for_the_wire(reason), fit_for_the_wire(person)
        self._announce(ServerNotice(kind="surface_withdrawn", name=name, sha256=sha256, reason=said, person=who))

    def offer_measured(self, levels: Sequence[EncodedLevel]) -> None:
        """Puts a surface on offer that is measured here and now and is none of the case's, in place of one of its name.

        It goes out as suggested, since nobody has approved it: a headset may show it in a research session only.

        Raises:
            SurfaceRefusedError: this is no research session, or too many surfaces are on offer.
        """
        self._server.offer_levels(levels, "suggested")
        name, sha256 = levels[-1].payload.name, levels[-1].payload.sha256
        self._measured[name] = sha256
        self._announce(ServerNotice(kind="surface_offered", name=name, sha256=sha256))

    def withdraw_measured(self, name: str, reason: str) -> None:
        """Takes a measured surface off offer; does nothing if it is not on offer."""
        sha256 = self._measured.pop(name, None)
        if sha256 is not None:
            self._server.withdraw(name)
            said = fit_for_the_wire(reason)
            self._announce(ServerNotice(kind="surface_withdrawn", name=name, sha256=sha256, reason=said))

    def order_sweep(self, wanted: bool) -> str:
        """Begins or ends an ultrasound sweep, and says what was done.

        Raises:
            EventRefusedError: there can be none, one runs already, or none does.
        """
        if self.sweep is None:
            raise EventRefusedError(
                "an ultrasound sweep in a room without one",
                "a room file with [ultrasound.sweep]",
                "add it to the room file",
            )
        return self.sweep(wanted)

    def select_target(self, name: str) -> None:
        if name != self.target:
            self.target = name
            self._announce(ServerNotice(kind="target_selected", name=name))

    def open_request(self, text: str) -> None:
        """Keeps a request to the operator until it is settled.

        Raises:
            EventRefusedError: too many requests are open.
        """
        if text in self.requests:
            return
        if len(self.requests) >= _MAX_REQUESTS:
            raise EventRefusedError(
                f"request number {len(self.requests) + 1}",
                f"at most {_MAX_REQUESTS} open requests",
                "let the operator settle some of them",
            )
        self.requests.append(text)

    def settle_request(self, text: str) -> None:
        """Closes a request that the operator has dealt with, and tells clients.

        Raises:
            ServiceError: there is no such open request.
        """
        if text not in self.requests:
            raise ServiceError(f"the request {text[:60]!r}", f"one of {self.requests}", "choose an open request")
        self.requests.remove(text)
        self._announce(ServerNotice(kind="request_settled", name=text))
