"""A server in this process, polled by the test as navigation polls it; clients may be here or in another process."""

import uuid
from dataclasses import dataclass, field

import cv2
import numpy as np
import zmq

from geometry.surface import Surface
from geometry.transform import Transform
from unity_bridge import ControlServer, PosePublisher, SurfaceServer, ToolState, encode_surface
from unity_bridge.client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.client.__main__ import MonotonicClock
from unity_bridge.control.event_handler import EventHandler
from unity_bridge.control.observations import Observer
from unity_bridge.control.self_test import SelfTest
from unity_bridge.surfaces.server import SurfaceServerSettings
from unity_bridge.transport.admission import AdmissionCheck, Admissions
from unity_bridge.transport.authentication import Gate, ServerSecurity
from unity_bridge.transport.keys import ClientKeys
from unity_bridge.transport.router import Request
from unity_bridge.ultrasound.server import GreyPixels, UltrasoundServer
from unity_bridge.wire.envelope import Session, Validity
from unity_bridge.wire.messages import SurfaceChunkRequest, Welcome

ANYWHERE = Endpoints(poses="tcp://127.0.0.1:*", surfaces="tcp://127.0.0.1:*", control="tcp://127.0.0.1:*")
CLOCK = MonotonicClock()


class CountingSurfaceServer(SurfaceServer):
    """Remembers which chunks were asked for."""

    def __init__(self, *arguments) -> None:
        super().__init__(*arguments)
        self.chunk_offsets: list[int] = []

    def answer(self, request: Request):
        if isinstance(request.message, SurfaceChunkRequest):
            self.chunk_offsets.append(request.message.offset)
        return super().answer(request)


@dataclass
class Server:
    """Three sockets under one session, as NavigationService has them."""

    where: Endpoints = ANYWHERE
    surface_settings: SurfaceServerSettings = field(default_factory=SurfaceServerSettings)
    security: ServerSecurity | None = None
    handler: EventHandler | None = None
    observer: Observer | None = None
    with_ultrasound: bool = False

    def __post_init__(self) -> None:
        self.context = zmq.Context()
        self.session = Session(uuid.uuid4().bytes, CLOCK)
        self.gate = Gate(self.context, self.security) if self.security else None
        self.secret = secret = uuid.uuid4().bytes
        admission = AdmissionCheck(secret)
        self.poses = PosePublisher(self.where.poses, self.session, security=self.security, admission=admission)
        self.admissions = Admissions(secret, self._withdraw)
        self.surfaces = CountingSurfaceServer(
            self.where.surfaces, self.session, self.context, self.surface_settings, self.gate
        )
        self.ultrasound: UltrasoundServer | None = None
        self.ultrasound_port: int | None = None
        if self.with_ultrasound:
            self.ultrasound = UltrasoundServer(
                "tcp://127.0.0.1:*", self.session, self.context, encode_jpeg, AdmissionCheck(secret), self.gate
            )
            self.ultrasound_port = int(self.ultrasound.endpoint.rpartition(":")[2])
        self.control = ControlServer(
            self.where.control,
            self.session,
            self.context,
            self.welcome,
            gate=self.gate,
            handler=self.handler,
            observer=self.observer,
            self_test=SelfTest(np.random.default_rng(1)),
            admissions=self.admissions,
        )

    @property
    def endpoints(self) -> Endpoints:
        return Endpoints(poses=self.poses.endpoint, surfaces=self.surfaces.endpoint, control=self.control.endpoint)

    def welcome(self) -> Welcome:
        return Welcome(
            server_name="test",
            program="test 1",
            clock_id=CLOCK.clock_id,
            rate_hz=100.0,
            last_pose_sequence=self.poses.last_sequence,
            registration_id="registration-1",
            registration_validity=Validity.VALID,
            tools=("stylus", "drill"),
            surfaces=self.surfaces.hashes,
            ultrasound_port=self.ultrasound_port,
            research_session=self.surface_settings.research_session,
        )

    def offer(self, surface: Surface) -> None:
        self.surfaces.offer(encode_surface(surface), "approved", "Dr. A. Example")

    def publish(self) -> int:
        """One batch whose stylus is where its sequence number says, and whose drill is lost."""
        stylus = ToolState(
            tool="stylus",
            to_frame="reference",
            from_frame="stylus_tip",
            validity=Validity.VALID,
            T_to_from=stylus_pose(self.poses.last_sequence + 1),
        )
        drill = ToolState(
            tool="drill", to_frame="reference", from_frame="drill", validity=Validity.LOST, reason="covered"
        )
        return self.poses.publish([stylus, drill], CLOCK.now_ns())

    def serve(self, timeout_ms: int = 0) -> None:
        self.control.poll(timeout_ms)
        self.surfaces.poll()
        if self.ultrasound is not None:
            self.ultrasound.poll()

    def _withdraw(self, number: int) -> None:
        self.poses.withdraw(number)
        if self.ultrasound is not None:
            self.ultrasound.withdraw(number)

    def close(self) -> None:
        self.poses.close()
        if self.ultrasound is not None:
            self.ultrasound.close()
        self.surfaces.close()
        self.control.close()
        if self.gate is not None:
            self.gate.close()
        self.context.term()


def encode_jpeg(pixels: GreyPixels) -> bytes:
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def stylus_pose(sequence: int) -> Transform:
    matrix = np.eye(4)
    matrix[:3, 3] = [sequence % 1000, 2.0 * (sequence % 1000), -3.0]
    return Transform(matrix, "reference", "stylus_tip")


def client_of(
    server: Server, settings: ClientSettings | None = None, keys: ClientKeys | None = None
) -> ReferenceClient:
    return ReferenceClient(server.endpoints, CLOCK, settings, keys)


def run_until(server: Server, client: ReferenceClient, condition, seconds: float = 20.0) -> None:
    """Polls both in turn, publishing all the while, until the condition holds; the test fails if it never does."""
    deadline_ns = CLOCK.now_ns() + round(seconds * 1e9)
    while not condition():
        assert CLOCK.now_ns() < deadline_ns, (client.control.last_refusal, client.surfaces.last_refusal)
        server.publish()
        server.serve()
        client.poll(1)
