"""The OpenIGTLink side of ``surgnav serve``: the same tools, surfaces and plan, for 3D Slicer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager

from geometry.clock import Clock
from navigation.commands.serve.command import ServeRequest
from navigation.live.offers.case_view import CaseView
from navigation.live.openigtlink.pose_messages import AgeLimits
from navigation.live.openigtlink.process import LinkProcess
from navigation.live.openigtlink.scene_files import Kind, SceneFile
from navigation.live.openigtlink.server import LinkServerSettings
from navigation.live.service import NavigationService
from navigation.live.supervisor import SupervisorSettings
from navigation.operator_screen.screen import PLAIN, WARNING, OperatorScreen
from navigation.processes.child import ChildState
from unity_bridge.transport.endpoints import is_local

_NAMES: dict[Kind, str] = {"landmarks": "Landmarks", "targets": "Targets", "ct": "CT"}


class LinkSide:
    """Keeps the OpenIGTLink server as the service is.

    Args:
        link: the server's process.
        service: whose surfaces on offer are shown.
        request: what was asked for.
    """

    def __init__(self, link: LinkProcess, service: NavigationService, request: ServeRequest) -> None:
        self._link, self._service, self._request = link, service, request
        self._said_where = False

    @property
    def process(self) -> ChildState:
        """How the server's process stands."""
        return self._link.state

    def poll(self, view: CaseView | None, screen: OperatorScreen) -> None:
        """Tells the server what there is, and the operator what it says.

        Raises:
            SurgNavError: the server cannot run at all.
        """
        if view is not None:
            self._link.want(scene_of(view, self._service.state.offered, self._request))
        for line, is_bad in self._link.poll():
            screen.say(line, WARNING if is_bad else PLAIN)
        if self._link.address and not self._said_where:
            self._said_where = True
            screen.say(f"OpenIGTLink {self._link.address}")
            if not is_local(f"tcp://{self._link.address}"):
                screen.say("OpenIGTLink has no keys: whoever reaches this address sees the patient", WARNING)


@contextmanager
def link_side(
    request: ServeRequest, service: NavigationService, limits: SupervisorSettings, mirror: str, clock: Clock
) -> Iterator[LinkSide | None]:
    """The OpenIGTLink side while the block runs; None where it was not asked for.

    Args:
        mirror: address of the service's `PoseMirror`.
    """
    if request.openigtlink is None:
        yield None
        return
    settings = LinkServerSettings(
        address="" if request.openigtlink_bind == "*" else request.openigtlink_bind,
        port=request.openigtlink,
        limits=AgeLimits(limits.stale_after_ms, limits.lost_after_ms),
    )
    with closing(LinkProcess(settings, mirror, clock)) as link:
        yield LinkSide(link, service, request)


def scene_of(view: CaseView, offered: dict[str, str], request: ServeRequest) -> dict[str, SceneFile]:
    """What is shown: the surfaces on offer in this very version, planned points, and the CT."""
    files = {
        standing.structure: SceneFile("surface", standing.structure, standing.path, standing.sha256)
        for standing in view.surfaces
        if offered.get(standing.structure) == standing.sha256
    }
    for kind, name in _NAMES.items():
        if kind in view.kept:
            kept = view.kept[kind]
            files[name] = SceneFile(kind, name, request.case if kind == "ct" else kept.path, kept.sha256)
    return files
