"""Plays a recording to clients: every message of the pose socket as it was, beside its surroundings.

Poses are stamped on the recorded service's clock, so the server's clock is that one: it runs on from the first pose,
and the exchange with each client does the rest. A client therefore judges the age of a pose as it would have then.
At rate 1 every message is sent to the last bit. At another rate, and once the replay has stood still, that clock runs
on while the place in the recording does not keep up with it: messages are then sent with their number and their times
moved by as much (`navigation.recorder.restamp`), and the last ones again while the next is not due. So a client shows
each pose as it did then, at whatever speed. It is told all the while that this is a replay, and where it is in the
recording. Clients cannot do anything in a replay.
"""

from __future__ import annotations

import heapq
import secrets
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
import zmq

from geometry.clock import Clock
from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.replay.mcap_messages import StoredMessage
from navigation.errors import RecordingError
from navigation.recorder.contents import RecordingFile, note_of
from navigation.recorder.replay_ultrasound import TOPICS, ReplayedUltrasound
from navigation.recorder.restamp import restamped
from navigation.recorder.service_tap import EVENTS, FORMS, MANIFEST, WELCOME
from navigation.recorder.tap import POSES, ULTRASOUND
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.control.self_test import SelfTest
from unity_bridge.control.server import ControlServer
from unity_bridge.errors import WireError
from unity_bridge.poses.publisher import PosePublisher
from unity_bridge.surfaces.server import SurfaceServer
from unity_bridge.transport.admission import AdmissionCheck, Admissions
from unity_bridge.transport.authentication import Gate, ServerSecurity
from unity_bridge.wire.envelope import Session, Validity, unpack_message
from unity_bridge.wire.messages import SurfaceManifest, Welcome, decode_message

NOTICE = "REPLAY of a recording: nothing that is shown is happening now."
CLOCK_ID = "replay"  # a client on the recording's own machine must not take it for the machine's clock
_STEP_NS = 2_000_000
# Before the first pose the clock runs for so long that clients have compared it with theirs while it runs.
_LEAD_NS = NS_PER_S
# In slow motion and while it stands still: well within the age at which a client calls a pose stale.
_HOLD_NS = NS_PER_S // 50
_SURROUNDINGS = (WELCOME, FORMS, MANIFEST, EVENTS)


class ReplayClock:
    """The recorded service's clock, and beside it the place in the recording, which can be slower and stand still.

    Args:
        real: the clock of this machine.
        clock_id: of the recorded clock, which stands in the header of every pose.
        start_ns: where both begin, standing.
        rate: seconds of the recording for each second on `real`.

    Attributes:
        is_running: whether the place moves on.
    """

    def __init__(self, real: Clock, clock_id: str, start_ns: int, rate: float) -> None:
        self.clock_id = clock_id
        self.is_running = False
        self._real, self._rate = real, rate
        self._at_ns, self._since_ns = start_ns, real.now_ns()
        self._begun: tuple[int, int] | None = None  # time on this clock and on `real`

    def now_ns(self) -> int:
        """What clients compare their clocks with: as fast as theirs from the first `run` or `advance_to_ns` on."""
        if self._begun is None:
            return self._at_ns
        return self._begun[0] + self._real.now_ns() - self._begun[1]

    @property
    def place_ns(self) -> int:
        """The time in the recording that it is at."""
        if not self.is_running:
            return self._at_ns
        return self._at_ns + round((self._real.now_ns() - self._since_ns) * self._rate)

    @property
    def shift_ns(self) -> int:
        """How much later than in the recording it is now on this clock."""
        if self._rate == 1.0 and self.is_running and self._begun is not None:  # the same moment for both
            return self._begun[0] - self._begun[1] - self._at_ns + self._since_ns
        return self.now_ns() - self.place_ns

    @property
    def is_slow(self) -> bool:
        """Whether this clock leaves the place behind."""
        return self._begun is not None and (not self.is_running or self._rate < 1.0)

    def run(self, is_running: bool) -> None:
        """Lets the place move on, or stand still."""
        self._set_ns(self.place_ns)
        self.is_running = is_running

    def advance_to_ns(self, time_ns: int) -> None:
        """Sets the place to a later time."""
        self._set_ns(max(time_ns, self.place_ns))

    def _set_ns(self, place_ns: int) -> None:
        self._at_ns, self._since_ns = place_ns, self._real.now_ns()
        if self._begun is None:
            self._begun = place_ns, self._since_ns


@dataclass(frozen=True, kw_only=True)
class ReplaySettings:
    """Where and how fast to play.

    Attributes:
        endpoints: of the sockets for poses, surfaces, control and, where any was recorded, ultrasound; ``*`` as port
            takes a free one.
        security: keys and allow list; without them only this machine may connect.
        rate: 2.0 plays twice as fast.

    Raises:
        RecordingError: the rate is not positive and finite.
    """

    endpoints: tuple[str, str, str, str] = ("tcp://127.0.0.1:*",) * 4
    security: ServerSecurity | None = None
    rate: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 < self.rate < float("inf"):
            raise RecordingError(f"a rate of {self.rate:g}", "a positive number", "give 1 for the recording's own")


class Replay:
    """The sockets of a service, fed from a recording; call `poll` often.

    Args:
        recording: what is played.
        settings: where and how fast.
        real: the clock of this machine.

    Attributes:
        played: number of messages of the pose socket that were sent.
        is_ended: whether everything was sent.
    """

    def __init__(self, recording: RecordingFile, settings: ReplaySettings, real: PacedClock) -> None:
        self._welcome = recording.welcome
        self._real, self.played, self.is_ended = real, 0, False
        self._sent: dict[int, bytes] = {}  # of each type of message of the pose socket, the newest as it was
        self._repeated: dict[int, int] = {}  # and how many were sent more often than once
        self._sent_ns = 0
        times_ns = (message.time_ns for message in recording.messages() if message.topic == POSES)
        self._first_ns = next(times_ns, 0)
        self.clock = ReplayClock(real, recording.clock_id, self._first_ns - _LEAD_NS, settings.rate)
        self._messages = in_time(recording)
        self._next: StoredMessage | None = None
        self._advance()
        session = Session(recording.session_id, self.clock)
        self._admission_secret = secrets.token_bytes(32)
        self._context = zmq.Context()
        self._forms: list[bytes] = []
        try:
            self._gate = None if settings.security is None else Gate(self._context, settings.security)
            poses, surfaces, control, ultrasound = settings.endpoints
            self.surfaces = SurfaceServer(surfaces, session, self._context, gate=self._gate)
            admission = AdmissionCheck(self._admission_secret)
            self.poses = PosePublisher(poses, session, security=settings.security, admission=admission)
            self.control = ControlServer(
                control,
                session,
                self._context,
                self._state,
                gate=self._gate,
                self_test=SelfTest(np.random.default_rng()),
                admissions=Admissions(self._admission_secret, self._withdraw),
            )
            self._ultrasound: ReplayedUltrasound | None = None
            if any(message.topic == ULTRASOUND for message in recording.messages()):
                self._ultrasound = ReplayedUltrasound(
                    ultrasound, session, self._context, admission, self._gate, lambda: self.clock.shift_ns
                )
        except Exception:
            self._context.destroy(linger=0)
            raise

    @property
    def played_s(self) -> float:
        """How far it is, in seconds of the recording."""
        return (self.clock.place_ns - self._first_ns) / NS_PER_S

    def poll(self) -> None:
        """Answers clients and sends what is due."""
        self.poses.poll()
        self.surfaces.poll()
        self.control.poll()
        if self._ultrasound is not None:
            self._ultrasound.poll()
        place_ns = self.clock.place_ns
        while self._next is not None and self._next.time_ns <= place_ns:
            self._play(self._next)
            self._advance()
        self._hold()
        if self._next is None:
            self.is_ended = True
        elif self.clock.is_running:
            self._real.sleep_until_ns(self._real.now_ns() + min(_STEP_NS, max(0, self._next.time_ns - place_ns)))

    def run(self, is_running: bool) -> None:
        """Lets it play on, or stand still; clients are told where."""
        self.clock.run(is_running)
        self._tell_place("goes on" if is_running else "stands still")

    def step(self) -> None:
        """Plays on to the next message of the pose socket, and stands still there."""
        before = self.played
        self.clock.run(False)
        while self._next is not None and self.played == before:
            self.clock.advance_to_ns(self._next.time_ns)
            self._play(self._next)
            self._advance()
        self._tell_place("stands still")

    def close(self) -> None:
        """Closes at once."""
        self.poses.close()
        self.control.close()
        self.surfaces.close()
        if self._ultrasound is not None:
            self._ultrasound.close()
        if self._gate is not None:
            self._gate.close()
        self._context.term()

    def _advance(self) -> None:
        self._next = next(self._messages, None)

    def _play(self, message: StoredMessage) -> None:
        if message.topic == POSES:
            self._send(message.data, False)
            self.played += 1
        elif message.topic in TOPICS:
            if self._ultrasound is not None:
                self._ultrasound.play(message)
        elif message.topic == FORMS:
            self._forms.append(message.data)
        elif message.topic in (WELCOME, MANIFEST):
            with suppress(WireError):  # of another version of the wire: what it says is not known
                self._restate(decode_message(message.data)[1])
        elif message.topic == EVENTS:
            self._announce(note_of(message))

    def _send(self, message: bytes, is_again: bool) -> None:
        kind = unpack_message(message)[0].message_type
        self._repeated[kind] = self._repeated.get(kind, 0) + is_again
        self._sent[kind], self._sent_ns = message, self._real.now_ns()
        self.poses.publish_bytes(restamped(message, self._repeated[kind], self.clock.shift_ns))

    def _hold(self) -> None:
        """Sends the newest messages again where clients would find them older than they were."""
        if self.clock.is_slow and self._real.now_ns() - self._sent_ns >= _HOLD_NS:
            for message in tuple(self._sent.values()):
                self._send(message, True)
            if self._ultrasound is not None:
                self._ultrasound.hold()

    def _withdraw(self, number: int) -> None:
        self.poses.withdraw(number)
        if self._ultrasound is not None:
            self._ultrasound.withdraw(number)

    def _tell_place(self, what: str) -> None:
        reason = f"REPLAY {what} at {max(0.0, self.played_s):.3f} s of the recording"
        self.control.announce(ServerNotice(kind="notice", reason=reason))

    def _restate(self, stated: object) -> None:
        if isinstance(stated, Welcome):
            self._welcome = stated
        elif isinstance(stated, SurfaceManifest):
            self.surfaces.offer_manifest(stated, self._forms)

    def _announce(self, said: dict[str, object]) -> None:
        if said.pop("who", "") == "server":
            known = {name: value for name, value in said.items() if name in ServerNotice.__dataclass_fields__}
            if known.get("validity"):
                known["validity"] = Validity(str(known["validity"]))
            self.control.announce(ServerNotice(**known))  # type: ignore[arg-type]

    def _state(self) -> Welcome:
        last = self.poses.last_sequence
        port = None if self._ultrasound is None else self._ultrasound.port
        return replace(
            self._welcome,
            clock_id=CLOCK_ID,
            notice=NOTICE,
            last_pose_sequence=last,
            open_requests=(),
            ultrasound_port=port,
        )


def in_time(recording: RecordingFile) -> Iterator[StoredMessage]:
    """What is played, in the order of time; the file keeps that of each process, but not that between two of them."""
    poses = (message for message in recording.messages() if message.topic == POSES)
    others = (message for message in recording.messages() if message.topic in _SURROUNDINGS)
    ultrasound = (message for message in recording.messages() if message.topic in TOPICS)
    return heapq.merge(others, ultrasound, poses, key=attrgetter("time_ns"))
