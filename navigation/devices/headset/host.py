"""The control socket in a program that streams nothing, such as a registration: headsets connect to it all the same."""

from __future__ import annotations

import queue
import threading
import uuid
from pathlib import Path
from types import TracebackType

import numpy as np
import zmq

from navigation.clock import PacedClock
from navigation.devices.headset.desk import ObservationDesk
from navigation.devices.headset.feed import ObservationFeed
from navigation.headset.server_keys import open_security
from unity_bridge.control.event_handler import EventHandler
from unity_bridge.control.event_window import Outcome
from unity_bridge.control.self_test import SelfTest
from unity_bridge.control.server import ControlServer
from unity_bridge.errors import UnknownClientError
from unity_bridge.transport.authentication import Gate
from unity_bridge.wire.envelope import Session, Validity
from unity_bridge.wire.messages import Welcome

_POLL_MS = 20
_STOP_S = 3.0
_NOTHING_STREAMED = "nothing is streamed: this program only listens to headsets"


class HeadsetHost:
    """A control socket and the thread that polls it, while its ``with`` block runs.

    Args:
        endpoint: address to bind, such as ``tcp://127.0.0.1:5572``.
        keys: folder of the server's keys; None for this machine's programs only.
        clock: gives the session's time, which headsets' times are mapped to.
        handler: carries out events; without it every event is refused.

    Attributes:
        endpoint: the address that was bound.
        desk: checks what headsets see.
        feed_endpoint: where drivers get it.

    Raises:
        EndpointRefusedError: the address is in use, or is no loopback and there are no keys.
        KeyFileError: no keys there, or not kept private.
    """

    def __init__(
        self, endpoint: str, keys: Path | None, clock: PacedClock, handler: EventHandler | None = None
    ) -> None:
        self._clock = clock
        security = None if keys is None else open_security(keys)
        self._settled: queue.SimpleQueue[tuple[str, str, int, Outcome]] = queue.SimpleQueue()
        self._stopping = threading.Event()
        self._feed = ObservationFeed()
        self.feed_endpoint = self._feed.endpoint
        self.desk = ObservationDesk(self._feed.deliver, self._feed.say_gone)
        self._context = zmq.Context()
        self._gate: Gate | None = None
        try:
            self._gate = None if security is None else Gate(self._context, security)
            self._control = ControlServer(
                endpoint,
                Session(uuid.uuid4().bytes, clock),
                self._context,
                self._welcome,
                gate=self._gate,
                handler=handler,
                self_test=SelfTest(np.random.default_rng()),
                observer=self.desk,
            )
        except BaseException:
            self._close_rest()
            raise
        self.endpoint = self._control.endpoint
        self._thread = threading.Thread(target=self._run, name="surgnav-headsets", daemon=True)

    def __enter__(self) -> HeadsetHost:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(_STOP_S)

    def settle(self, key: str, stream: str, number: int, outcome: Outcome) -> None:
        """Ends an event that the handler left pending. Any thread."""
        self._settled.put((key, stream, number, outcome))

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._control.poll(_POLL_MS)
                self._control.take_events()
                self._send_settled()
            self._send_settled()
        finally:
            self._control.close()
            self._close_rest()

    def _send_settled(self) -> None:
        while not self._settled.empty():
            try:
                self._control.settle(*self._settled.get())
            except UnknownClientError:
                continue  # it has left; its event was done or refused all the same

    def _close_rest(self) -> None:
        if self._gate is not None:
            self._gate.close()
        self._context.term()
        self._feed.close()

    def _welcome(self) -> Welcome:
        return Welcome(
            server_name="surgnav",
            program="surgnav",
            clock_id=self._clock.clock_id,
            rate_hz=0.0,
            last_pose_sequence=0,
            registration_id="",
            registration_validity=Validity.LOST,
            registration_reason=_NOTHING_STREAMED,
        )


class SharedHosts:
    """The control sockets of this process: devices that name one address have one together."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: dict[str, tuple[HeadsetHost, int]] = {}

    def join(
        self, endpoint: str, keys: Path | None, clock: PacedClock, handler: EventHandler | None = None
    ) -> HeadsetHost:
        """The host at this address; opened, with this handler, if nobody has it yet. Raises as `HeadsetHost`."""
        with self._lock:
            host, users = self._hosts.get(endpoint, (None, 0))
            if host is None:
                host = HeadsetHost(endpoint, keys, clock, handler).__enter__()
            self._hosts[endpoint] = (host, users + 1)
            return host

    def leave(self, endpoint: str) -> None:
        """The last one closes it."""
        with self._lock:
            host, users = self._hosts[endpoint]
            if users > 1:
                self._hosts[endpoint] = (host, users - 1)
                return
            del self._hosts[endpoint]
        host.__exit__(None, None, None)


HOSTS = SharedHosts()
