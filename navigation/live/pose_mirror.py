"""Hands the newest poses to another process, such as the OpenIGTLink server; the pose loop never waits for it."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory

import numpy as np
import zmq

from geometry.points import Floats
from navigation.live.timeline.timelines import Relative, Timelines
from navigation.live.timeline.tip_error import tracking_motion
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity


@dataclass(frozen=True, slots=True)
class MirroredTool:
    """One tool or the patient, as a `ToolState` has it; cheap to pickle.

    Attributes:
        numbers: the bytes of the pose's matrix ``(4, 4)``, float64; empty without one.
        noise: of a probe, the bytes of the covariance ``(6, 6)`` of its tracking, as `tracking_motion` has it; empty
            where its devices state none, and of other tools.
        stamp_bound_ns: of a probe: how much older than `capture_ns` says the pose may be.
    """

    tool: str
    to_frame: str
    from_frame: str
    validity: Validity
    reason: str
    capture_ns: int
    numbers: bytes
    noise: bytes = b""
    stamp_bound_ns: int = 0

    @property
    def T_to_from(self) -> Floats | None:
        """The pose as a matrix ``(4, 4)`` in mm; None without one."""
        return np.frombuffer(self.numbers).reshape(4, 4) if self.numbers else None

    @property
    def tracking(self) -> Floats | None:
        """The covariance ``(6, 6)`` of `noise`; None without one."""
        return np.frombuffer(self.noise).reshape(6, 6) if self.noise else None


def mirrored(
    states: Sequence[ToolState],
    capture_ns: int,
    timelines: Timelines | None = None,
    probes: Collection[str] = (),
) -> tuple[MirroredTool, ...]:
    """The states of one batch, each with the time at which its sensor measured; of probes, how well they were seen."""
    return tuple(
        MirroredTool(
            state.tool,
            state.to_frame,
            state.from_frame,
            state.validity,
            state.reason,
            capture_ns if state.capture_ns is None else state.capture_ns,
            b"" if state.T_to_from is None else state.T_to_from.matrix.tobytes(),
            *(_how_seen(state, timelines) if timelines is not None and state.tool in probes else ()),
        )
        for state in states
    )


def _how_seen(state: ToolState, timelines: Timelines) -> tuple[bytes, int]:
    """The noise of a probe's tracking, and the bound of its time."""
    relative = None if state.T_to_from is None else timelines.newest(state.tool)
    if not isinstance(relative, Relative):
        return b"", 0
    noise = tracking_motion(relative)
    bound_ns = max(relative.tool.stamp_bound_ns, 0 if relative.reference is None else relative.reference.stamp_bound_ns)
    return b"" if noise is None else noise.tobytes(), bound_ns


@contextmanager
def mirror_address(wanted: bool) -> Iterator[str]:
    """Where poses are mirrored to other processes, in a folder that only this user may enter; empty if not."""
    if not wanted:
        yield ""
        return
    with TemporaryDirectory(prefix="surgnav-") as folder:
        yield f"ipc://{folder}/mirror"


class PoseMirror:
    """Publishes the states of each batch; a reader gets the newest ones, and those that it was too slow for are gone.

    Readers may end and come back: the loop neither waits for one nor notices.

    Args:
        address: a socket file in a folder that only this user may enter, such as ``ipc:///tmp/surgnav-1/mirror``.
        probes: tools of which readers are told how well they were seen.
    """

    def __init__(self, address: str, probes: Collection[str] = ()) -> None:
        self._probes = frozenset(probes)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.SNDHWM, 1)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(address)

    def offer(self, states: Sequence[ToolState], capture_ns: int, timelines: Timelines | None = None) -> None:
        """Sends these states to whoever reads; `timelines` are what they were computed from."""
        self._socket.send(pickle.dumps(mirrored(states, capture_ns, timelines, self._probes)), zmq.DONTWAIT)

    def close(self) -> None:
        self._context.destroy(linger=0)


class MirrorReader:
    """The end of one reader, in a process of the same program.

    Args:
        address: of the `PoseMirror`, which need not be there yet.
        kept: how many batches wait for a reader that wants each of them (`take`); None if only the newest counts.
    """

    def __init__(self, address: str, kept: int | None = None) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        if kept is None:
            self._socket.setsockopt(zmq.CONFLATE, 1)
        else:
            self._socket.setsockopt(zmq.RCVHWM, kept)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._socket.connect(address)

    def fileno(self) -> int:
        """Can be read when something may have come; call `newest` then, and once in a while besides.

        ZeroMQ announces only what comes after all has been read.
        """
        return int(self._socket.getsockopt(zmq.FD))

    def newest(self) -> tuple[MirroredTool, ...] | None:
        """The newest states that have not been read; None without any."""
        message: bytes | None = None
        while self._socket.poll(0):
            message = self._socket.recv(zmq.DONTWAIT)
        tools: tuple[MirroredTool, ...] | None = None if message is None else pickle.loads(message)
        return tools

    def take(self, timeout_ms: int = 0) -> list[tuple[MirroredTool, ...]]:
        """The states of each batch that has not been read, the oldest first; waits at most so long for the first."""
        batches: list[tuple[MirroredTool, ...]] = []
        while self._socket.poll(0 if batches else timeout_ms):
            batches.append(pickle.loads(self._socket.recv(zmq.DONTWAIT)))
        return batches

    def close(self) -> None:
        self._context.destroy(linger=0)
