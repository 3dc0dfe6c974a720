"""The reference client: the complete client side of the protocol, as in a headset.

It is driven by `poll`, starts no threads, and reads only the clock that it is given.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import zmq

from geometry.clock import Clock
from geometry.errors import SurgNavError
from unity_bridge.client.clock_offset import ClockOffset
from unity_bridge.client.control_link import ControlLink, ControlSettings
from unity_bridge.client.link_watch import LinkState
from unity_bridge.client.overlay import Overlay
from unity_bridge.client.poses.age import AgeLimits, ShownPoses
from unity_bridge.client.poses.receiver import PoseReceiver
from unity_bridge.client.recording import ClientRecording, record
from unity_bridge.client.surfaces.puller import PullerSettings, SurfacePuller
from unity_bridge.client.surfaces.transfer import PulledSurface
from unity_bridge.client.ultrasound_link import ShownFrame, UltrasoundLink, judged
from unity_bridge.errors import PeerRefusedError
from unity_bridge.poses.batch import PoseBatch
from unity_bridge.transport.keys import ClientKeys
from unity_bridge.wire.envelope import NO_SESSION, Header, Session
from unity_bridge.wire.generated.constants import SelfTestState
from unity_bridge.wire.messages import ClientReport, Hello, ReceivedSurface, ToolGuidance

PROGRAM = "surgnav reference client 1.0"


@dataclass(frozen=True, kw_only=True)
class ClientSettings:
    """Bounds of the client.

    Attributes:
        name: name by which the client presents itself.
        max_batches: number of batches kept for the recording; further ones are only counted.
        tail_ns: time that the last batches have to arrive before they count as lost.
        queued_batches: number of batches queued while the client is busy; further ones are lost.
        silence_ns: time without a batch (but at least 10 of the server's periods) after which the client subscribes
            again.
        control, puller: settings of the control link and of the surface link.
    """

    name: str = "reference client"
    max_batches: int = 60_000
    tail_ns: int = 1_000_000_000
    queued_batches: int = 1024
    silence_ns: int = 2_000_000_000
    control: ControlSettings = field(default_factory=ControlSettings)
    puller: PullerSettings = field(default_factory=PullerSettings)


@dataclass(frozen=True, kw_only=True)
class Endpoints:
    """Addresses of the server's three sockets."""

    poses: str
    surfaces: str
    control: str


class ReferenceClient:
    """Client of the three sockets: Hello, clock exchange, poses, all surfaces (coarse first), events and a report.

    Args:
        endpoints: addresses of the server's sockets.
        clock: the client's clock.
        settings: bounds of the client.
        keys: the server's public key and the client's own pair; without them only servers without keys answer.

    Raises:
        EndpointRefusedError: one of the three is not an address.

    Attributes:
        poses, surfaces, control: the three links.
        ultrasound: the link to live ultrasound, from when the server says that there is any; else None.
    """

    def __init__(
        self,
        endpoints: Endpoints,
        clock: Clock,
        settings: ClientSettings | None = None,
        keys: ClientKeys | None = None,
    ) -> None:
        self._settings = settings or ClientSettings()
        self._clock = clock
        self._takes_poses = True
        self._context = zmq.Context()
        self._session = session = Session(NO_SESSION, clock)
        self._endpoints, self._keys = endpoints, keys
        self.ultrasound: UltrasoundLink | None = None
        hello = Hello(client_name=self._settings.name, program=PROGRAM, stream=str(uuid.uuid4()))
        options = self._settings
        try:
            self.poses = PoseReceiver(
                endpoints.poses,
                self._context,
                clock,
                options.max_batches,
                options.queued_batches,
                keys,
                options.silence_ns,
            )
            self.control = ControlLink(endpoints.control, self._context, session, hello, options.control, keys)
            self.surfaces = SurfacePuller(endpoints.surfaces, self._context, session, options.puller, keys)
        except SurgNavError:
            self._context.destroy(linger=0)  # a context with an open socket would wait for it for ever
            raise

    @property
    def newest(self) -> ShownPoses | None:
        """The poses that a display may show now, judged by their age; None before the first batch, and before the
        client has passed the self-test.
        """
        batch = self.poses.log.newest
        if batch is None or not self.control.may_show:
            return None
        return ShownPoses(batch, self._clock.now_ns(), self._offset_to(batch), self.age_limits)

    @property
    def guidance(self) -> dict[str, ToolGuidance]:
        """The guidance that a display may show now, by tool; empty where there is none, and before the self-test."""
        log = self.poses.guidance
        if log.header is None or not self.control.may_show:
            return {}
        return log.shown(self._clock.now_ns(), self._offset_to(log.header), self.age_limits)

    @property
    def contours(self) -> ShownFrame | None:
        """The newest contours of live ultrasound that a display may show now; None without any, and before the
        self-test.
        """
        link = self.ultrasound
        frame = None if link is None else link.contours.newest
        if frame is None or not self.control.may_show:
            return None
        return judged(frame, self._clock.now_ns(), self.control.clock_offset, self.age_limits)

    def _offset_to(self, stamped: PoseBatch | Header) -> ClockOffset | None:
        """Offset to the clock that stamped a message; None where no exchange was with that clock and session."""
        compared = stamped.session_id == self.control.server_session and stamped.clock == self.control.server_clock
        return self.control.clock_offset if compared else None

    @property
    def overlay(self) -> Overlay:
        """Where this client, as a headset, may show the tracker's world now, or why it may not."""
        if not self.control.may_show:
            return Overlay(None, self.refusal or "the server has not tested this client yet")
        return self.control.overlay.at(self._clock.now_ns())

    @property
    def age_limits(self) -> AgeLimits:
        """The ages above which a pose is stale, and lost, in this session."""
        return AgeLimits.of(self.control.welcome)

    @property
    def refusal(self) -> str:
        """Why this client is refused, failed the self-test, or cannot trust the server; empty if there is no reason."""
        reasons = self.control.verdict.reasons if self.control.verdict is not None else ()
        failed = f"this client fails the self-test: {'; '.join(reasons)}" if reasons else ""
        return self.control.watch.reason or self.poses.watch.reason or failed

    @property
    def is_ready(self) -> bool:
        """Whether the client is welcomed and tested, the clock is settled, all surfaces are here, and poses arrive."""
        settled = self.control.may_show and self.control.clock_is_settled
        return settled and self.surfaces.is_done and self.poses.log.received > 0

    def poll(self, timeout_ms: int) -> None:
        """Waits up to `timeout_ms` for messages, and processes them, poses first."""
        links = (self.poses, self.control, self.surfaces) if self._takes_poses else (self.control, self.surfaces)
        poller = zmq.Poller()
        for socket in (*(link.socket for link in links), *(self.ultrasound.sockets if self.ultrasound else ())):
            poller.register(socket, zmq.POLLIN)
        readable = dict(poller.poll(timeout_ms))
        for link in links:
            if link.socket in readable:
                link.drain()
        self.control.watch.poll()
        self.poses.watch.poll()
        self.control.tick()
        if self.control.watch.state is not LinkState.REFUSED:  # it is tried again every 5 s, not with every chunk
            self._follow_the_offer()
            self.surfaces.tick()
        self.poses.admit(self.control.pose_token)
        if self._takes_poses:
            is_admitted = self.control.self_test in (None, SelfTestState.PASSED)
            self.poses.tick(self.control.rate_hz if is_admitted else 0.0)
        if self.poses.log.received:
            self.control.notice_session(self.poses.log.session_id)
        self._follow_ultrasound()

    def _follow_ultrasound(self) -> None:
        """Connects where the server has live ultrasound, and asks for frames once the self-test is passed."""
        welcome, link = self.control.welcome, self.ultrasound
        port = None if welcome is None else welcome.ultrasound_port
        endpoint = None if port is None else f"{self._endpoints.control.rpartition(':')[0]}:{port}"
        if link is not None and (link.endpoint, link.session_id) != (endpoint, self.control.server_session):
            link.close()
            self.ultrasound = link = None
        if endpoint is not None and link is None:
            session_id = self.control.server_session
            self.ultrasound = link = UltrasoundLink(endpoint, self._context, self._session, session_id, self._keys)
        if link is not None:
            link.poll(self.control.pose_token or b"" if self.control.may_show else None)

    def _follow_the_offer(self) -> None:
        """Requests the manifest at once after a change, so that a withdrawn surface does not stay on display."""
        if self.control.events.surfaces_changed:
            self.control.events.surfaces_changed = False
            self.surfaces.request_manifest()

    def poll_until(self, condition: Callable[[], bool], deadline_ns: int) -> bool:
        """Polls until the condition holds or the deadline on this client's clock has passed; says whether it holds."""
        while not condition():
            if self._clock.now_ns() >= deadline_ns:
                return False
            self.poll(10)
        return True

    def finish(self, deadline_ns: int) -> bool:
        """Receives the batches that are still under way, counts missing ones as lost, and sends the report.

        Afterwards no more poses are received, so that report and recording agree.

        Returns:
            True if the server acknowledged the report before the deadline.
        """
        self.control.say_hello()
        self.poll_until(lambda: self.control.welcome is not None, deadline_ns)
        if self.control.welcome is not None:
            last = self.control.welcome.last_pose_sequence
            tail_ns = min(deadline_ns, self._clock.now_ns() + self._settings.tail_ns)
            self.poll_until(lambda: self.poses.log.last_sequence >= last, tail_ns)
            self.poses.log.close_at(self.control.server_session, last)
        self._takes_poses = False
        self.surfaces.decode_all()
        self.control.report(self.report())
        return self.poll_until(lambda: self.control.report_taken, deadline_ns)

    def recording(self) -> ClientRecording:
        """Everything received, with times converted to the server's clock.

        Raises:
            PeerRefusedError: there was no clock exchange, so times cannot be converted.
        """
        offset = self._pose_offset()
        if offset is None:
            raise PeerRefusedError(
                "no clock exchange with the clock that stamped the poses",
                "at least one exchange",
                "check that control and pose socket belong to one server, and that it answers",
            )
        surfaces = [pulled.decoded for pulled in self.surfaces.surfaces.values()]
        return record(self.poses.log.batches, surfaces, offset)

    def report(self) -> ClientReport:
        """The report on everything received so far."""
        log, offset, measured = self.poses.log, self._pose_offset(), self.control.measured_offset
        latencies: list[float | None] = [None, None, None]
        if log.batches and offset is not None:
            decoded_ns = [offset.to_server_ns(logged.decoded_ns) - logged.batch.capture_ns for logged in log.batches]
            latencies = (np.percentile(decoded_ns, [50.0, 99.0, 99.9]) / 1e6).tolist()
        return ClientReport(
            batches_received=log.received,
            poses_lost=log.lost,
            first_sequence=log.first_sequence,
            last_sequence=log.last_sequence,
            messages_refused=self.poses.refused + self.control.refused + self.surfaces.refused,
            latency_p50_ms=latencies[0],
            latency_p99_ms=latencies[1],
            latency_p999_ms=latencies[2],
            clock_offset_ns=measured.offset_ns if measured else None,
            clock_error_ns=measured.error_ns if measured else None,
            surfaces=tuple(map(_received, self.surfaces.surfaces.values())),
        )

    def _pose_offset(self) -> ClockOffset | None:
        """Offset to the clock that stamped the poses; None if it is not the clock of the exchanges."""
        stamped_by = {logged.batch.header.clock for logged in self.poses.log.batches}
        return self.control.clock_offset if stamped_by <= {self.control.server_clock} else None

    def close(self) -> None:
        """Sends Goodbye and closes all links. May be called again."""
        if self._context.closed:
            return
        self.poses.close()
        self.surfaces.close()
        if self.ultrasound is not None:
            self.ultrasound.close()
        self.control.close()
        self._context.term()

    def __enter__(self) -> ReferenceClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _received(pulled: PulledSurface) -> ReceivedSurface:
    surface = pulled.decoded.surface
    return ReceivedSurface(
        sha256=pulled.level.sha256,
        name=surface.name,
        vertex_count=len(surface.vertices_m),
        triangle_count=len(surface.triangles),
        byte_count=pulled.level.byte_count,
        seconds=pulled.seconds,
    )
