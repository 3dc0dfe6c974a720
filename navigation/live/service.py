"""The service: the pose process, the surface socket and the control socket, under one session."""

from __future__ import annotations

import contextlib
import logging
import secrets
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import TracebackType

import numpy as np
import zmq

from geometry.points import Floats
from navigation.clock import MonotonicClock
from navigation.devices.driver import Device
from navigation.devices.headset import HeadsetFeed
from navigation.errors import EventLogError
from navigation.guidance.desk import GuidanceDesk
from navigation.guidance.new_plan import GuidanceSetup
from navigation.guidance.news import GuidanceNews
from navigation.guidance.publish import Aim
from navigation.headset.event_handler import HeadsetEventHandler, HeadsetEventSettings
from navigation.live.offered_surfaces import ApprovedSurface
from navigation.live.overlays import Overlays
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.pose_loop import PoseLoopConfig, Vouched, Withdrawn
from navigation.live.pose_process import PoseProcess
from navigation.live.pose_vitals import Vitals
from navigation.live.refusals import EVENTS_LOG, RefusalNews, log_events
from navigation.live.sent_poses import SentPoses
from navigation.live.session_state import OfferedSurface, SessionState
from navigation.live.state_changes import StateChanges
from navigation.live.supervisor import SupervisorSettings
from navigation.live.timeline.held_tip import TipHeld, TipQuestions
from navigation.processes.child import ChildState
from navigation.recorder.service_tap import ServiceTap
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.control.event_window import answer_of
from unity_bridge.control.self_test import SelfTest
from unity_bridge.control.server import ControlEvent, ControlServer
from unity_bridge.errors import UnknownClientError
from unity_bridge.surfaces.server import SurfaceServer, SurfaceServerSettings
from unity_bridge.transport.admission import Admissions
from unity_bridge.transport.authentication import Gate, ServerSecurity
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import Welcome

SERVER_NAME = "surgnav"
NOTICE = "Research software, not a medical device."


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """Settings of the service.

    Attributes:
        devices: the devices of the room, the one that sees the reference first.
        rate_hz: rate of that device, which clients are told when they join.
        graph: calibrations and registration at the start.
        surfaces: surfaces that clients may pull.
        pose_endpoint, surface_endpoint, control_endpoint: where to bind; ``*`` as port takes a free one.
        security: keys and allow list (`headset.server_keys.open_security`); without them only this machine may connect.
        headset_events: what headsets may do in which case; without it every event of theirs is refused.
        research_session: offers suggested surfaces as well, and tells clients to say so on screen.
        supervisor: thresholds; clients are told the age limits.
        pose_mirror: address of a `PoseMirror` for other processes of this machine; empty for none.
        rack: the room's calibrations, which headsets' overlays are by; None if it names none.
        keep_sent: number of batches that are kept for scoring and returned by `stop`.
        recorder: where the recorder takes everything that goes in and out; empty without one.
        guidance: what tools are guided by; None without a plan.
        goes_first: gives the pose process a higher priority, where the user may do so.
        real_time: asks for a real-time priority and a core of its own for the pose process.
        start_timeout_s, stop_timeout_s: how long the pose process may take to start and to stop.
    """

    devices: tuple[Device, ...]
    rate_hz: float
    graph: PoseGraph
    surfaces: Sequence[ApprovedSurface] = ()
    pose_endpoint: str = "tcp://127.0.0.1:*"
    surface_endpoint: str = "tcp://127.0.0.1:*"
    control_endpoint: str = "tcp://127.0.0.1:*"
    security: ServerSecurity | None = None
    headset_events: HeadsetEventSettings | None = None
    research_session: bool = False
    pose_mirror: str = ""
    rack: Path | None = None
    supervisor: SupervisorSettings = field(default_factory=SupervisorSettings)
    keep_sent: int = 0
    recorder: str = ""
    guidance: GuidanceSetup | None = None
    goes_first: bool = True
    real_time: bool = False
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 20.0


class NavigationService:
    """The service; it runs while its ``with`` block runs. Call `poll` often within the block.

    Args:
        config: settings of the service.
        say: called every few seconds during the start with what the service is waiting for.

    Attributes:
        ultrasound_port: of the ultrasound socket, which clients are told when they join; None without one.
        also_withdraw: is told the number of a token that admits its client no more.

    Raises:
        ServiceError: the pose process did not start, or ended by itself.
        SurgNavError: the error that made the pose process end, such as an endpoint in use.
    """

    def __init__(self, config: ServiceConfig, say: Callable[[str], None] | None = None) -> None:
        self._config = config
        self._say = say or logging.getLogger("surgnav.service").info
        self._clock = MonotonicClock()
        self._session = Session(uuid.uuid4().bytes, self._clock)
        self._admission_secret = secrets.token_bytes(32)
        self._refusals = RefusalNews(self._clock)
        self._handler: HeadsetEventHandler | None = None
        self._camera_moves = 0
        self._tips = TipQuestions(self._clock)
        self._no_handler = ""
        self._context = zmq.Context()
        self._headsets = HeadsetFeed(config.devices)
        self._recorded = ServiceTap(config.recorder, self._session)
        self.guidance = GuidanceDesk(config.guidance, self._announce, self._aim)
        self.ultrasound_port: int | None = None
        self.also_withdraw: Callable[[int], object] = lambda number: None

    def __enter__(self) -> NavigationService:
        loop = PoseLoopConfig(
            devices=self._headsets.devices,
            graph=self._config.graph,
            endpoint=self._config.pose_endpoint,
            session_id=self._session.session_id,
            admission_secret=self._admission_secret,
            supervisor=self._config.supervisor,
            security=self._config.security,
            keep_sent=self._config.keep_sent,
            recorder=self._config.recorder,
            mirror=self._config.pose_mirror,
            guidance=self._config.guidance,
        )
        config = self._config
        self._poses = PoseProcess(
            loop,
            self._clock,
            goes_first=config.goes_first,
            real_time=config.real_time,
            stop_timeout_s=config.stop_timeout_s,
        )
        try:
            self._poses.await_start(config.start_timeout_s, self._say)
            self._open_sockets()
        except BaseException:
            self._close_handler()
            self._poses.close()
            self._recorded.close()
            self.guidance.close()
            self._headsets.close()
            self._context.destroy(linger=0)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_handler()
        self._poses.close()
        self._recorded.close()
        self.guidance.close()
        self.surfaces.close()
        self.control.close()
        if self._gate is not None:
            self._gate.close()
        self._headsets.close()
        self._context.term()

    def poll(self, timeout_ms: int) -> tuple[ControlEvent, ...]:
        """Answers requests of clients that come within `timeout_ms`; returns the clients' events and reports."""
        self._poller.poll(timeout_ms)
        self.surfaces.poll()
        self.control.poll()
        at_the_gate = () if self._gate is None else self._gate.refusals.take()
        self._refusals.log((*self.surfaces.take_refusals(), *self.control.take_refusals(), *at_the_gate))
        for said in self._poses.poll():
            if isinstance(said, StateChanges):
                self.state.take_changes(said)
            elif isinstance(said, GuidanceNews):
                self.guidance.take(said)
            elif isinstance(said, TipHeld):
                self._tips.take(said)
            else:
                self._refusals.log(said.refusals)
        self._tips.poll()
        self._follow_overlays()
        self.state.trajectories = self.guidance.trajectories
        self.guidance.follow(self.state.target)
        settled = self._settle()
        events = (*self.control.take_events(), *settled)
        self._recorded.events(events)
        log_events(events)
        return events

    def _follow_overlays(self) -> None:
        """The headsets' overlays have states as tools have, and end with the place of the camera."""
        if self.overlays is None:
            return
        if self._poses.camera_moves > self._camera_moves:
            self._camera_moves = self._poses.camera_moves
            self.overlays.camera_moved()
        self.state.take_changes(StateChanges(self.overlays.states))

    def update(self, graph: PoseGraph, reason: str = "") -> None:
        """Puts a new registration or calibration into force from the next frame on, and tells every client.

        Args:
            graph: the new calibrations and registration.
            reason: if the registration is withdrawn, why.
        """
        self.state.update(graph, reason)

    @property
    def events_problem(self) -> str:
        """Why events from headsets are refused although the settings allow them; empty if they are not.

        A case on a full or read-only disk is streamed all the same.
        """
        return self._no_handler or ("" if self._handler is None else self._handler.problem)

    def notify(self, text: str) -> None:
        """Shows a notice at every client."""
        self._announce(ServerNotice(kind="notice", reason=text))

    @property
    def pose_endpoint(self) -> str:
        return self._poses.endpoint

    @property
    def pose_process(self) -> ChildState:
        """How the pose process stands; one that ended by itself is started again."""
        return self._poses.state

    def take_news(self) -> list[tuple[str, bool]]:
        """Lines for the operator on the pose process, each with True if it reports a problem."""
        return self._poses.take_news()

    def vitals(self) -> Vitals:
        """Ages of the poses and numbers of dropped frames since the start."""
        return self._poses.vitals.read()

    def stop(self) -> SentPoses:
        """Ends the pose loop and returns its published batches, up to `keep_sent`.

        Raises:
            ServiceError: the pose process did not answer in time.
        """
        return self._poses.stop()

    def _open_sockets(self) -> None:
        security = self._config.security
        self._gate = None if security is None else Gate(self._context, security)
        self.surfaces = SurfaceServer(
            self._config.surface_endpoint,
            self._session,
            self._context,
            SurfaceServerSettings(research_session=self._config.research_session),
            self._gate,
        )
        devices = self._config.devices
        self.state = SessionState(
            self._config.graph, self.surfaces, self._publish, self._announce, self._vouch, devices
        )
        if self._config.headset_events is not None:
            self._open_handler(self._config.headset_events)
        desk, config = self._headsets.desk, self._config
        self.overlays = None if desk is None else Overlays(desk, config.devices, config.rack, self._clock, _local)
        self.state.overlays, self.state.ask_tip = self.overlays, self._ask_tip
        self.control = ControlServer(
            self._config.control_endpoint,
            self._session,
            self._context,
            self._welcome,
            gate=self._gate,
            handler=self._handler,
            self_test=SelfTest(np.random.default_rng()),
            admissions=Admissions(self._admission_secret, self._withdraw),
            observer=self.overlays,
        )
        self.tell_recorder()
        for offered in self._config.surfaces:
            name = offered.levels[-1].payload.name
            surface = OfferedSurface(name, offered.levels, offered.case_sha256)
            self.state.offer_surface(surface, offered.approval, offered.approved_by)
        self._poller = zmq.Poller()
        for socket in {*self.surfaces.sockets, *self.control.sockets}:
            self._poller.register(socket, zmq.POLLIN)

    def _welcome(self) -> Welcome:
        return Welcome(
            server_name=SERVER_NAME,
            program=SERVER_NAME,
            clock_id=self._clock.clock_id,
            rate_hz=self._config.rate_hz,
            last_pose_sequence=self._poses.vitals.last_sequence,
            pose_stale_after_ms=self._config.supervisor.stale_after_ms,
            pose_lost_after_ms=self._config.supervisor.lost_after_ms,
            tools=(*(tool for device in self._config.devices for tool in device.tool_names), PATIENT),
            research_session=self._config.research_session,
            notice=NOTICE,
            ultrasound_port=self.ultrasound_port,
            **self.state.welcome_fields(),
        )

    @property
    def ultrasound_access(self) -> tuple[bytes, bytes]:
        """Id of the session, and the secret by which a process of this program knows who is admitted."""
        return self._session.session_id, self._admission_secret

    def tell_recorder(self) -> None:
        """Gives the recorder all that is in force, as at the start; call it when a new one has been started."""
        self._recorded.begin(self._config.devices, self._config.supervisor, self.state.graph, self._welcome())
        self.control.keep = self._recorded.control
        self.surfaces.keep_offers(self._recorded.offer)

    def _announce(self, happening: ServerNotice) -> None:
        self.control.announce(happening)
        self._recorded.notice(happening)
        self._recorded.welcome(self._welcome())

    def _vouch(self, names: tuple[str, ...]) -> None:
        self._poses.vouch(Vouched(names))

    def _ask_tip(self, tool: str, at_ns: int) -> Future[Floats]:
        asked, answer = self._tips.ask(tool, at_ns)
        self._poses.ask_tip(asked)
        return answer

    def _withdraw(self, number: int) -> None:
        self._poses.withdraw(Withdrawn(number))
        self.also_withdraw(number)

    def _aim(self, aim: Aim) -> None:
        self._poses.aim(aim)

    def _publish(self, graph: PoseGraph) -> None:
        self._recorded.settings("graph", vars(graph))
        self._poses.put_in_force(graph)

    def _open_handler(self, settings: HeadsetEventSettings) -> None:
        try:
            self._handler = HeadsetEventHandler(settings, self._session.session_id.hex(), _now, self.state)
        except EventLogError as error:
            self._no_handler = str(error)
            logging.getLogger(EVENTS_LOG).error("events are refused: %s", error)

    def _settle(self) -> tuple[ControlEvent, ...]:
        """Sends clients the outcomes of events that the worker has finished; returns them for the operator."""
        ended = []
        for settled in () if self._handler is None else self._handler.poll():
            event, sender = settled.event, settled.sender
            with contextlib.suppress(UnknownClientError):  # the log has the answer, in case the client comes back
                self.control.settle(sender.key, event.stream, event.number, settled.outcome)
            answer = answer_of(event.stream, event.number, settled.outcome)
            ended.append(ControlEvent(sender.name, self._clock.now_ns(), event, answer))
        return tuple(ended)

    def _close_handler(self) -> None:
        if self._handler is not None:
            self._handler.close()


def _local() -> datetime:
    return datetime.now().astimezone()


def _now() -> str:
    return _local().isoformat(timespec="milliseconds")
