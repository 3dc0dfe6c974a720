"""The service: the pose process, the surface socket and the control socket, under one session."""

from __future__ import annotations

import multiprocessing
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import zmq

from geometry.surface import Surface
from navigation.clock import MonotonicClock
from navigation.errors import ServiceError
from navigation.pose_graph import PATIENT, PoseGraph
from navigation.pose_loop import STOP, PoseLoopConfig, SentPoses, log_refusals, run_pose_process
from navigation.surface_levels import LevelSettings, encode_levels
from unity_bridge.authentication import Gate, ServerSecurity
from unity_bridge.control_server import ControlEvent, ControlServer
from unity_bridge.messages import Welcome
from unity_bridge.surface_levels import EncodedLevel
from unity_bridge.surface_server import SurfaceServer, SurfaceServerSettings
from unity_bridge.wire import Session, Validity

SERVER_NAME = "surgnav"
NOTICE = "Research software, not a medical device."


@dataclass(frozen=True)
class ApprovedSurface:
    """A surface as it goes on the wire, coarse level first, with the decision that allows it to."""

    levels: Sequence[EncodedLevel]
    approval: str
    approved_by: str

    @classmethod
    def of(
        cls, surface: Surface, approval: str, approved_by: str, settings: LevelSettings | None = None
    ) -> ApprovedSurface:
        """Makes and encodes the levels: about a second for 100,000 triangles, so before the service starts."""
        return cls(encode_levels(surface, settings), approval, approved_by)


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """What the service runs with.

    Attributes:
        tracker, tracker_config: the driver's name in the registry, and its own settings.
        tools: names of the tracked tools, and `rate_hz`, for clients that join.
        graph: calibrations and registration.
        surfaces: what clients may pull.
        pose_endpoint, surface_endpoint, control_endpoint: where to bind; ``*`` as port takes a free one.
        security: keys and allow list (`keys_command.open_security`); without them only this machine may connect.
        start_timeout_s, stop_timeout_s: patience with the pose process.
    """

    tracker: str
    tracker_config: object
    tools: tuple[str, ...]
    rate_hz: float
    graph: PoseGraph
    surfaces: Sequence[ApprovedSurface] = ()
    pose_endpoint: str = "tcp://127.0.0.1:*"
    surface_endpoint: str = "tcp://127.0.0.1:*"
    control_endpoint: str = "tcp://127.0.0.1:*"
    security: ServerSecurity | None = None
    start_timeout_s: float = 60.0
    stop_timeout_s: float = 20.0


class NavigationService:
    """Runs from ``with`` to its end; call `poll` in between.

    Raises:
        ServiceError: the pose process did not start, or ended by itself.
        SurgNavError: whatever made the pose process give up, such as an endpoint in use.
    """

    def __init__(self, config: ServiceConfig) -> None:
        self._config = config
        self._graph = config.graph
        self._clock = MonotonicClock()
        self._session = Session(uuid.uuid4().bytes, self._clock)
        self._context = zmq.Context()

    def __enter__(self) -> NavigationService:
        spawning = multiprocessing.get_context("spawn")  # fork would copy ZeroMQ's and OpenVINO's threads half
        self._pipe, theirs = spawning.Pipe()
        self._last_sequence = spawning.Value("q", 0)
        loop = PoseLoopConfig(
            tracker=self._config.tracker,
            tracker_config=self._config.tracker_config,
            graph=self._config.graph,
            endpoint=self._config.pose_endpoint,
            session_id=self._session.session_id,
            security=self._config.security,
        )
        self._process = spawning.Process(
            target=run_pose_process, args=(loop, theirs, self._last_sequence), name="surgnav-poses", daemon=True
        )
        self._process.start()
        theirs.close()
        try:
            self.pose_endpoint: str = self._receive(self._config.start_timeout_s, "to start")
            self._open_sockets()
        except BaseException:
            self._end_process()
            self._context.destroy(linger=0)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_process()
        self.surfaces.close()
        self.control.close()
        if self._gate is not None:
            self._gate.close()
        self._context.term()

    def poll(self, timeout_ms: int) -> tuple[ControlEvent, ...]:
        """Answers what clients asked within `timeout_ms`, and returns what they told.

        Raises:
            ServiceError: the pose process ended by itself.
        """
        self._poller.poll(timeout_ms)
        self.surfaces.poll()
        self.control.poll()
        log_refusals((*self.surfaces.take_refusals(), *self.control.take_refusals()))
        if self._gate is not None:
            log_refusals(self._gate.refusals.take())
        if not self._process.is_alive():
            self._receive(0.0, "to go on")
        return self.control.take_events()

    def update(self, graph: PoseGraph) -> None:
        """Puts a new registration or calibration into force, from the next frame on."""
        self._graph = graph
        self._pipe.send(graph)

    def stop(self) -> SentPoses:
        """Ends the pose loop and returns what it published."""
        self._pipe.send(STOP)
        sent = self._receive(self._config.stop_timeout_s, "to stop")
        self._process.join(self._config.stop_timeout_s)
        return sent

    def _open_sockets(self) -> None:
        security = self._config.security
        self._gate = None if security is None else Gate(self._context, security)
        self.surfaces = SurfaceServer(
            self._config.surface_endpoint, self._session, self._context, SurfaceServerSettings(), self._gate
        )
        for surface in self._config.surfaces:
            self.surfaces.offer_levels(surface.levels, surface.approval, surface.approved_by)
        self.control = ControlServer(
            self._config.control_endpoint, self._session, self._context, self._welcome, gate=self._gate
        )
        self._poller = zmq.Poller()
        for socket in {*self.surfaces.sockets, *self.control.sockets}:
            self._poller.register(socket, zmq.POLLIN)

    def _welcome(self) -> Welcome:
        registration = self._graph.registration
        validity = Validity.LOST if registration is None else Validity.VALID
        return Welcome(
            server_name=SERVER_NAME,
            program=SERVER_NAME,
            clock_id=self._clock.clock_id,
            rate_hz=self._config.rate_hz,
            last_pose_sequence=self._last_sequence.value,
            registration_id="" if registration is None else registration.registration_id,
            registration_validity=validity,
            registration_reason="not registered" if registration is None else "",
            tools=(*self._config.tools, PATIENT),
            surfaces=self.surfaces.hashes,
            notice=NOTICE,
        )

    def _receive(self, timeout_s: float, purpose: str) -> Any:
        try:
            message = self._pipe.recv() if self._pipe.poll(timeout_s) else None
        except EOFError:
            message = None
        if isinstance(message, Exception):
            raise message
        if message is None:
            state = "alive but silent" if self._process.is_alive() else f"exit code {self._process.exitcode}"
            raise ServiceError(
                f"no answer from the pose process within {timeout_s:g} s when asked {purpose} ({state})",
                "a running pose process",
                "see its output above; run 'surgnav doctor'",
            )
        return message

    def _end_process(self) -> None:
        if self._process.is_alive():
            self._process.terminate()
        self._process.join(self._config.stop_timeout_s)
        self._pipe.close()
