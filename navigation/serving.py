"""``surgnav serve``: streams one case to headsets until it is stopped; what happens is said on the screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.markup import escape

from geometry import SurgNavError
from geometry.frames import STYLUS
from navigation.clock import MonotonicClock, VirtualClock
from navigation.devices.hand import Rehearsal
from navigation.devices.registry import SIMULATED, open_rehearsal, streaming_rehearsal
from navigation.errors import ServiceError
from navigation.headset.case_surfaces import surfaces_of
from navigation.headset.desk import DeskSettings
from navigation.keys_command import key_folder, open_security
from navigation.pose_graph import AcceptedRegistration, CalibratedTip, PoseGraph
from navigation.registering.instrument import Stylus
from navigation.registering.records import in_force
from navigation.service import NavigationService, ServiceConfig
from reconstruction.case import Case
from reconstruction.case_folder import MANIFEST
from unity_bridge.control_server import ControlEvent
from unity_bridge.endpoints import is_local
from unity_bridge.messages import ClientEvent, ClientReport, Goodbye, Hello, SelfTestVerdict

POLL_MS = 5
LOOK_AT_CASE_EVERY_NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class ServeRequest:
    """What was asked for on the command line.

    Attributes:
        case: folder of the case; what is approved in it is offered, what is in force in it is streamed.
        tracker: name of the tracker; `seed` decides a simulated one, as in ``surgnav register``.
        bind: address to bind, ``*`` for all; other than loopback only with keys.
        ports: of poses, surfaces and control; 0 takes a free one.
        keys: folder of the server's keys; None for loopback without keys.
        deciders: who may approve and verify from a headset.
        research: suggested surfaces are offered too.
    """

    case: Path
    tracker: str
    seed: int = 1
    bind: str = "127.0.0.1"
    ports: tuple[int, int, int] = (5570, 5571, 5572)
    keys: Path | None = None
    deciders: frozenset[str] = frozenset()
    research: bool = False


def serve(request: ServeRequest, console: Console, should_stop: Callable[[], bool]) -> None:
    """Runs until `should_stop`.

    Raises:
        SurgNavError: whatever keeps the service from starting, or ends it.
    """
    if request.tracker != SIMULATED:
        raise ServiceError(f"the tracker {request.tracker!r}", SIMULATED, "correct the name")
    clock = MonotonicClock()
    case = Case.open(request.case)
    with console.status("preparing surfaces, calibrating the stylus"):
        config, graph = _rehearsed(request, case, clock)
    watch = _CaseWatch(request.case, graph)
    with NavigationService(replace(config, graph=watch.graph)) as service:
        _say_where(service, watch, console)
        looked_ns, present = clock.now_ns(), _Present()
        while not should_stop():
            for event in service.poll(POLL_MS):
                if present.is_news(event):
                    console.print(_told(event), highlight=False)
            if clock.now_ns() - looked_ns > LOOK_AT_CASE_EVERY_NS:
                looked_ns = clock.now_ns()
                _follow(watch, service, console)
        service.stop()


def _rehearsed(request: ServeRequest, case: Case, clock: MonotonicClock) -> tuple[ServiceConfig, PoseGraph]:
    """The simulated room about the case's own skin, its stylus calibrated; tools move until the end."""
    structure = next((name for name in ("skin", "body") if name in case.structures()), None)
    if structure is None:
        raise ServiceError(
            f"a rehearsal of a case with {', '.join(case.structures()) or 'no surface'}",
            "a case with the surface 'skin' or 'body', on which the simulated stylus moves",
            "reconstruct the case from a CT that shows the skin",
        )
    rehearsal = Rehearsal(case.read_surface(structure), request.seed)
    tracker, hand = open_rehearsal(rehearsal, VirtualClock())
    tracker.start()
    found = Stylus("simulated tracker", tracker, hand).calibrate()
    tracker.stop()
    tools, rate_hz, tracker_config = streaming_rehearsal(rehearsal, clock.now_ns())
    local = is_local(f"tcp://{request.bind}:1")
    endpoints = [f"tcp://{request.bind}:{port or '*'}" for port in request.ports]
    config = ServiceConfig(
        tracker=SIMULATED,
        tracker_config=tracker_config,
        tools=tools,
        rate_hz=rate_hz,
        graph=PoseGraph({}, None),
        surfaces=surfaces_of(case, research_session=request.research),
        pose_endpoint=endpoints[0],
        surface_endpoint=endpoints[1],
        control_endpoint=endpoints[2],
        security=None if request.keys is None and local else open_security(request.keys or key_folder()),
        desk=DeskSettings(case=request.case, deciders=request.deciders),
        research_session=request.research,
    )
    tip = CalibratedTip(found.T_stylus_stylus_tip, found.expected_tip_error_rms_mm)
    return config, PoseGraph({STYLUS: tip}, None)


class _CaseWatch:
    """What the case says about the registration, asked again whenever its manifest changes."""

    def __init__(self, case: Path, graph: PoseGraph) -> None:
        self._manifest = case / MANIFEST
        self._case = case
        self._tips = graph
        self._stamp = self._stamped()
        self.accepted, self.problem = self._look()

    @property
    def graph(self) -> PoseGraph:
        return replace(self._tips, registration=self.accepted)

    def changed(self) -> bool:
        """Whether another registration is in force, or none any more."""
        stamp = self._stamped()
        if stamp == self._stamp:
            return False
        self._stamp, before = stamp, self.accepted
        self.accepted, self.problem = self._look()
        return _id(before) != _id(self.accepted)

    def _look(self) -> tuple[AcceptedRegistration | None, str]:
        try:
            accepted = in_force(Case.open(self._case))
        except SurgNavError as error:
            return None, str(error)
        return accepted, "" if accepted is not None else "no registration of this case is in force"

    def _stamped(self) -> tuple[int, int]:
        status = self._manifest.stat()
        return status.st_mtime_ns, status.st_ino


def _id(accepted: AcceptedRegistration | None) -> str:
    return "" if accepted is None else accepted.registration_id


def _follow(watch: _CaseWatch, service: NavigationService, console: Console) -> None:
    if watch.changed():
        service.update(watch.graph, watch.problem)
        console.print(_registration(watch), highlight=False)


def _registration(watch: _CaseWatch) -> str:
    if watch.accepted is None:
        return f"[yellow]The patient is not shown: {escape(watch.problem)}[/]\n  register: surgnav register"
    accepted = watch.accepted
    error = "" if accepted.expected_error_mm is None else f", expected 95 % error {accepted.expected_error_mm:.2f} mm"
    return f"registration {accepted.registration_id}, {accepted.level}, by {escape(accepted.accepted_by)}{error}"


def _say_where(service: NavigationService, watch: _CaseWatch, console: Console) -> None:
    console.print(
        "[yellow bold]Rehearsal[/]: tracker, hand and patient are simulated, the patient's skin is the case's own "
        "surface. Research software, not a medical device.",
        highlight=False,
    )
    console.print(
        f"poses {service.pose_endpoint}  surfaces {service.surfaces.endpoint}  control {service.control.endpoint}",
        highlight=False,
    )
    console.print(_registration(watch), highlight=False)
    console.print("Ctrl-C stops it", highlight=False)


class _Present:
    """Who is here: a Hello is repeated until it is answered, and said again for the last count."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def is_news(self, event: ControlEvent) -> bool:
        if isinstance(event.what, Goodbye):
            self._names.discard(event.client_name)
        known = event.client_name in self._names
        if isinstance(event.what, Hello):
            self._names.add(event.client_name)
        return not (known and isinstance(event.what, Hello))


def _told(event: ControlEvent) -> str:
    """What a client did, in one line."""
    name = f"'{escape(event.client_name)}'"
    what = event.what
    if isinstance(what, Hello):
        return f"{name} has joined ({escape(what.program)})"
    if isinstance(what, Goodbye):
        return f"{name} has left{': ' + escape(what.reason) if what.reason else ''}"
    if isinstance(what, SelfTestVerdict):
        reasons = f": {escape('; '.join(what.reasons))}" if what.reasons else ""
        return f"{name}, self-test: {what.state.value}{reasons}"
    if isinstance(what, ClientEvent):
        answer = "" if event.answer is None else f": {event.answer.outcome.value}, "
        said = "" if event.answer is None else escape(event.answer.note or event.answer.came or "")
        return f"{name}, {escape(what.kind)}{answer}{said}"
    return _report(name, what)


def _report(name: str, report: ClientReport) -> str:
    latency = np.nan if report.latency_p99_ms is None else report.latency_p99_ms
    return f"{name} reports {report.batches_received} batches, {report.poses_lost} lost, p99 {latency:.1f} ms"
