"""What the running service knows and tells: the registration, who is lost, what is on offer, what was asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from navigation.errors import ServiceError
from navigation.headset.event_handler import OnOffer
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.state_changes import StateChanges
from navigation.terminal.foreign_text import fit_for_the_wire
from unity_bridge.control.event_log import Happening
from unity_bridge.errors import EventRefusedError
from unity_bridge.surfaces.levels import EncodedLevel
from unity_bridge.surfaces.server import SurfaceServer
from unity_bridge.wire.envelope import Validity

_MAX_REQUESTS = 16


@dataclass(frozen=True)
class OfferedSurface:
    """A surface of the service with its levels, coarse first, and the hash of the case's surface they were made of."""

    name: str
    levels: Sequence[EncodedLevel]
    case_sha256: str


class RoomState:
    """Satisfies `navigation.headset.event_handler.Room`. Whatever changes is told to every client.

    Args:
        server: has the surfaces that are on offer.
        publish: puts another graph into force in the pose process.
        announce: tells clients.

    Attributes:
        graph: calibrations and registration.
        target: that was selected; empty for none.
        requests: what was asked of the operator and is not settled.
        decisions: how often a headset has changed something in the case: what was seen before the last is old.
    """

    def __init__(
        self,
        graph: PoseGraph,
        server: SurfaceServer,
        publish: Callable[[PoseGraph], None],
        announce: Callable[[Happening], object],
    ) -> None:
        self.graph = graph
        self.target = ""
        self.requests: list[str] = []
        self.decisions = 0
        self._surfaces: dict[str, OfferedSurface] = {}  # that were on offer once
        self._server, self._publish, self._announce = server, publish, announce
        self._states: dict[str, tuple[Validity, str]] = {}
        self._standings: dict[str, tuple[str, str]] = {}  # of surfaces on offer that the case decides on
        self._withdrawn = ""

    # ------------------------------------------------------------------------------------------------------------ state
    @property
    def registration_id(self) -> str:
        return "" if self.graph.registration is None else self.graph.registration.registration_id

    @property
    def registration(self) -> tuple[Validity, str]:
        """Of what the patient's pose stands on, with the reason if it is not valid."""
        if self.graph.registration is None:
            return Validity.LOST, self._withdrawn or "not registered"
        return self._states.get(PATIENT, (Validity.VALID, ""))

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

    def surface_on_offer(self, name: str) -> OnOffer | None:
        surface = self._surfaces.get(name)
        if surface is None or not self._is_on_offer(surface):
            return None
        return OnOffer(surface.levels[-1].payload.sha256, surface.case_sha256)

    @property
    def offered(self) -> dict[str, str]:
        """Every surface on offer, with the hash of the case's surface that it was made of."""
        return {name: surface.case_sha256 for name, surface in self._surfaces.items() if self._is_on_offer(surface)}

    def _is_on_offer(self, surface: OfferedSurface) -> bool:
        return surface.levels[-1].payload.sha256 in self._server.hashes

    # ---------------------------------------------------------------------------------------------------------- changes
    def update(self, graph: PoseGraph, reason: str = "") -> None:
        """Puts a new registration or calibration into force; a request for a registration is settled by one.

        A registration that differs in anything is another, whatever its id says.

        Args:
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
        self._announce(Happening(kind=kind, registration_id=told, reason=self._withdrawn))
        if after:
            for request in list(self.requests):
                self.settle_request(request)

    def withdraw_registration(self, reason: str) -> None:
        self.decisions += 1
        self.update(replace(self.graph, registration=None), reason)

    def take_changes(self, changes: StateChanges) -> None:
        """Tells who was lost or found; what was so from the start is no news."""
        for tool, validity, reason in changes.states:
            before = self._states.get(tool)
            self._states[tool] = (validity, reason)
            if before is None or (before[0] is Validity.VALID) == (validity is Validity.VALID):
                continue
            found = "found" if validity is Validity.VALID else "lost"
            happening = Happening(
                kind=f"tool_{found}", name=tool, validity=validity, reason=reason, registration_id=self.registration_id
            )
            if tool == PATIENT:
                happening = replace(happening, kind=f"registration_{found}", name="")
            self._announce(happening)

    def surface_decided(self, name: str, decision: str, person: str) -> None:
        """Offers a surface under the person's name, or withdraws it."""
        self.decisions += 1
        if decision == "rejected":
            self.withdraw_surface(name, f"rejected by {person}", person)
        else:
            self.offer_surface(self._surfaces[name], decision, person)

    def offer_surface(self, surface: OfferedSurface, approval: str, person: str) -> None:
        """Puts a surface on offer as the case stands for it; where it is so already, nothing happens.

        Raises:
            SurfaceRefusedError: nobody approved it, and this is no research session; or one surface too many.
        """
        person = fit_for_the_wire(person)
        name, standing = surface.name, (approval, person)
        is_same = self._surfaces.get(name) == surface and self._standings.get(name) == standing
        if is_same and self._is_on_offer(surface):
            return
        self._server.offer_levels(surface.levels, approval, person)
        self._surfaces[name], self._standings[name] = surface, standing
        kind = "surface_offered" if approval == "suggested" else "surface_approved"
        self._announce(Happening(kind=kind, name=name, sha256=surface.levels[-1].payload.sha256, person=person))

    def withdraw_surface(self, name: str, reason: str, person: str = "") -> None:
        """Takes a surface off; where it is not on offer, nothing happens."""
        surface = self._surfaces.get(name)
        if surface is None or not self._is_on_offer(surface):
            return
        self._server.withdraw(name)
        sha256 = surface.levels[-1].payload.sha256
        said, who = fit_for_the_wire(reason), fit_for_the_wire(person)
        self._announce(Happening(kind="surface_withdrawn", name=name, sha256=sha256, reason=said, person=who))

    def select_target(self, name: str) -> None:
        if name != self.target:
            self.target = name
            self._announce(Happening(kind="target_selected", name=name))

    def open_request(self, text: str) -> None:
        """Shows the operator what somebody asks for, until it is settled.

        Raises:
            EventRefusedError: too many are open.
        """
        if text in self.requests:
            return
        if len(self.requests) >= _MAX_REQUESTS:
            raise EventRefusedError(
                f"request {len(self.requests) + 1}", f"{_MAX_REQUESTS} open requests", "let the operator settle some"
            )
        self.requests.append(text)

    def settle_request(self, text: str) -> None:
        """Says that the operator has dealt with it.

        Raises:
            ServiceError: no such request is open.
        """
        if text not in self.requests:
            raise ServiceError(f"the request {text[:60]!r}", f"one of {self.requests}", "check which are open")
        self.requests.remove(text)
        self._announce(Happening(kind="request_settled", name=text))
