"""The OpenIGTLink server: one thread, one loop over all sockets; no client waits for another."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from geometry.clock import Clock
from navigation.devices.openigtlink.errors import LinkError
from navigation.devices.openigtlink.framing import DEFAULT_PORT, Frame, Message, pack
from navigation.devices.openigtlink.messages import Capability, Status, StatusCode, TrackingReply
from navigation.devices.openigtlink.messages.requests import TrackingKind
from navigation.live.openigtlink.client import Client
from navigation.live.openigtlink.pose_messages import AgeLimits, PoseWriter, ToolStanding, standings
from navigation.live.openigtlink.scene import Key, SceneMessage
from navigation.live.pose_mirror import MirroredTool
from navigation.live.supervisor import LOST_AFTER_MS, STALE_AFTER_MS
from unity_bridge.wire.envelope import Validity

SERVER_NAME = "SurgNav"
TRACKING_KINDS: tuple[TrackingKind, ...] = ("TDATA", "QTDATA")
SENT = ("TRANSFORM", "STATUS", "TDATA", "QTDATA", "POLYDATA", "POINT", "IMAGE", "CAPABILITY")
ASKED = ("GET_STATUS", "GET_CAPABIL", "GET_POLYDATA", "GET_POINT", "GET_IMAGE", "STT_TDATA", "STT_QTDATA")
_SCENE_KINDS = {"GET_POLYDATA": "POLYDATA", "GET_POINT": "POINT", "GET_IMAGE": "IMAGE"}
# Poses that wait in the system's buffer cannot be replaced by newer ones; this holds some 30 ms of five tools at 1 kHz.
_SEND_BUFFER_BYTES = 1 << 15


@dataclass(frozen=True, kw_only=True)
class LinkServerSettings:
    """Where the server listens, and its bounds.

    Attributes:
        address: loopback unless told otherwise: OpenIGTLink knows no keys, and whoever connects is shown the patient.
        port: 18944 is what 3D Slicer proposes; 0 takes a free one.
        limits: ages above which poses are stale and lost.
        most_clients: further ones are refused.
        patience_s: a client that takes nothing for so long, although something waits for it, is disconnected.
    """

    address: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    limits: AgeLimits = field(default_factory=lambda: AgeLimits(STALE_AFTER_MS, LOST_AFTER_MS))
    most_clients: int = 16
    patience_s: float = 10.0


@dataclass
class Counts:
    """What happened since the start.

    Attributes:
        frames: frames of poses that were offered to clients, summed over them.
        refused: clients that were one too many.
        cut_off: clients that were disconnected: too slow, or no OpenIGTLink.
    """

    frames: int = 0
    refused: int = 0
    cut_off: int = 0


class LinkServer:
    """Call `poll` again and again; it waits for nothing but its sockets, and never for a single one of them.

    Args:
        settings: where it listens, and its bounds.
        clock: the clock of the poses' times.
        wall_ns: the wall clock, ns since 1970.
        say: is told who comes and goes.

    Raises:
        LinkError: the address is not this machine's, or the port is in use.
    """

    def __init__(
        self,
        settings: LinkServerSettings,
        clock: Clock,
        wall_ns: Callable[[], int],
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._settings, self._clock, self._wall_ns, self._say = settings, clock, wall_ns, say
        self._writer = PoseWriter(clock, wall_ns)
        self._listener = _listening(settings)
        self.address, self.port = self._listener.getsockname()[:2]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._clients: list[Client] = []
        self._tools: tuple[MirroredTool, ...] = ()
        self._stated: dict[str, tuple[Validity, str]] = {}
        self._scene: dict[Key, SceneMessage] = {}
        self._dropped_before = 0
        self.counts = Counts()

    def watch(self, source: Any, ready: Callable[[], object]) -> None:
        """Calls `ready` from `poll` whenever `source`, a pipe or socket, can be read."""
        self._selector.register(source, selectors.EVENT_READ, ready)

    def unwatch(self, source: Any) -> None:
        self._selector.unregister(source)

    @property
    def client_count(self) -> int:
        return len(self._clients)

    @property
    def poses_dropped(self) -> int:
        """Number of frames of poses that were not sent to a slow client since a newer one came, over all clients."""
        return self._dropped_before + sum(client.outbox.poses_dropped for client in self._clients)

    # ---------------------------------------------------------------------------------------------------- what is sent
    def show_poses(self, tools: Sequence[MirroredTool]) -> None:
        """Sends every client the poses of one frame, and the states of tools that have changed."""
        self._tools = tuple(tools)
        now = self._standings()
        self._tell_states(now)
        frames: dict[tuple[bool, ...], bytes] = {}
        now_ns = self._clock.now_ns()
        for client in self._clients:
            asked = tuple(client.takes(kind, now_ns) for kind in TRACKING_KINDS)
            if asked not in frames:
                frames[asked] = self._writer.frame(now, tracking=asked[0], quaternions=asked[1])
            if not frames[asked]:
                continue
            self.counts.frames += 1
            client.outbox.put_poses(frames[asked])

    def show(self, message: SceneMessage) -> None:
        """Puts something into the scene, or replaces it: every client is sent it, and whoever joins later."""
        self._scene[message.key] = message
        for client in self._clients:
            client.outbox.put_scene(message.key, message.packed)

    def withdraw(self, key: Key) -> None:
        """Takes something out of the scene, and tells every client."""
        message = self._scene.pop(key, None)
        if message is not None:
            for client in self._clients:
                client.outbox.put_scene(key, message.farewell)

    def _standings(self) -> tuple[ToolStanding, ...]:
        return standings(self._tools, self._clock.now_ns(), self._settings.limits)

    def _tell_states(self, now: Sequence[ToolStanding]) -> None:
        for tool in now:
            state = (tool.validity, tool.reason)
            if self._stated.get(tool.name) != state:
                self._stated[tool.name] = state
                message = self._writer.status(tool)
                for client in self._clients:
                    client.outbox.put_news(tool.name, message)
                    if tool.matrix is None:
                        client.outbox.drop_poses()  # one that waits may still call it valid

    # --------------------------------------------------------------------------------------------------------- sockets
    def poll(self, timeout_s: float) -> None:
        """Accepts, reads and sends what is possible at once, after waiting at most `timeout_s` until something is."""
        for key, events in self._selector.select(timeout_s):
            if isinstance(key.data, Client):
                if events & selectors.EVENT_READ:
                    self._read(key.data)
            else:
                key.data()
        if self._tools:
            self._tell_states(self._standings())  # what is not renewed ages
        now_ns = self._clock.now_ns()
        for client in list(self._clients):
            self._flush(client, now_ns)

    def close(self) -> None:
        """Disconnects every client."""
        for client in list(self._clients):
            self._drop(client, "")
        self._listener.close()
        self._selector.close()

    def _accept(self) -> None:
        with suppress(OSError):
            connection, address = self._listener.accept()
            if len(self._clients) >= self._settings.most_clients:
                connection.close()
                self.counts.refused += 1
                return
            connection.setblocking(False)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client = Client(connection, f"{address[0]}:{address[1]}", self._clock.now_ns())
            self._selector.register(connection, selectors.EVENT_READ, client)
            self._clients.append(client)
            self._say(f"OpenIGTLink: {client.name} has joined")
            self._welcome(client)

    def _welcome(self, client: Client) -> None:
        """The full state, as every client before has it."""
        now = self._standings()
        for tool in now:
            client.outbox.put_news(tool.name, self._writer.status(tool))
        client.outbox.put_poses(self._writer.frame(now))
        for message in self._scene.values():
            client.outbox.put_scene(message.key, message.packed)

    def _read(self, client: Client) -> None:
        try:
            frames = client.receive()
        except LinkError as error:
            self.counts.cut_off += 1
            self._drop(client, f"was disconnected: {error.came}")
        except OSError as error:
            self._drop(client, f"has left ({error.strerror or error})")
        else:
            if frames is None:
                self._drop(client, "has left")
            for frame in frames or ():
                self._answer(client, frame)

    def _flush(self, client: Client, now_ns: int) -> None:
        try:
            client.send(now_ns)
        except OSError as error:
            self._drop(client, f"has left ({error.strerror or error})")
            return
        if client.is_stuck(now_ns, self._settings.patience_s):
            self.counts.cut_off += 1
            self._drop(client, f"was disconnected: it took nothing for {self._settings.patience_s:g} s")
            return
        waiting = 0 if client.outbox.is_empty else selectors.EVENT_WRITE
        self._selector.modify(client.connection, selectors.EVENT_READ | waiting, client)

    def _drop(self, client: Client, why: str) -> None:
        self._clients.remove(client)
        self._selector.unregister(client.connection)
        client.connection.close()
        dropped = client.outbox.poses_dropped
        self._dropped_before += dropped
        if why:
            missed = f"; it was too slow for {dropped} frames" if dropped else ""
            self._say(f"OpenIGTLink: {client.name} {why}{missed}")

    # -------------------------------------------------------------------------------------------------------- requests
    def _answer(self, client: Client, frame: Frame) -> None:
        """Does what is asked; what else a program sends, such as poses or images of its own, is not asked for."""
        name, kind = frame.type_name, frame.type_name[4:]
        if name in _SCENE_KINDS:
            self._answer_scene(client, _SCENE_KINDS[name], frame.device_name)
        elif name == "GET_STATUS":
            self._reply(client, name, Status(StatusCode.OK, text="Research software, not a medical device."))
        elif name == "GET_CAPABIL":
            self._reply(client, name, Capability(SENT + ASKED))
        elif name[:4] in ("STT_", "STP_") and kind in TRACKING_KINDS:
            self._switch_tracking(client, frame, kind)
        elif name[:4] in ("GET_", "STT_", "STP_"):
            self._reply(client, name, Status(StatusCode.UNKNOWN_INSTRUCTION, error="not known", text=name))

    def _switch_tracking(self, client: Client, frame: Frame, kind: TrackingKind) -> None:
        if frame.type_name.startswith("STT_"):
            is_started = client.start_tracking(frame, kind)
            self._reply(client, frame.type_name, TrackingReply(kind, not is_started))
        else:
            client.stop_tracking(kind)

    def _answer_scene(self, client: Client, kind: str, name: str) -> None:
        """The thing of this name; all of this kind if there is none, as programs often send their own name."""
        of_kind = [message for key, message in self._scene.items() if key[0] == kind]
        found = [message for message in of_kind if message.key[1] == name] or of_kind
        for message in found:
            client.outbox.put_scene(message.key, message.packed)
        if not found:
            self._reply(client, kind, Status(StatusCode.NOT_FOUND, error="nothing there", text=f"no {kind} to send"))

    def _reply(self, client: Client, key: str, content: Status | Capability | TrackingReply) -> None:
        client.outbox.put_news(f"to {key}", pack(Message(content, SERVER_NAME, self._wall_ns())))


def _listening(settings: LinkServerSettings) -> socket.socket:
    try:
        listener = socket.create_server((settings.address, settings.port), backlog=16)
    except (OSError, OverflowError) as error:
        raise LinkError(
            f"OpenIGTLink at {settings.address}:{settings.port}, which cannot be bound: {error}",
            "an address of this machine and a free port",
            "stop the program that has the port, or choose another: --openigtlink",
        ) from error
    listener.setblocking(False)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)  # accepted sockets inherit it
    return listener
