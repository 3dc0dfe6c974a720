"""Hands the newest poses to another process, such as the OpenIGTLink server; the pose loop never waits for it."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import zmq

from geometry.points import Floats
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity


@dataclass(frozen=True, slots=True)
class MirroredTool:
    """One tool or the patient, as a `ToolState` has it; cheap to pickle.

    Attributes:
        numbers: the bytes of the pose's matrix ``(4, 4)``, float64; empty without one.
    """

    tool: str
    to_frame: str
    from_frame: str
    validity: Validity
    reason: str
    capture_ns: int
    numbers: bytes

    @property
    def T_to_from(self) -> Floats | None:
        """The pose as a matrix ``(4, 4)`` in mm; None without one."""
        return np.frombuffer(self.numbers).reshape(4, 4) if self.numbers else None


def mirrored(states: Sequence[ToolState], capture_ns: int) -> tuple[MirroredTool, ...]:
    """The states of one batch, each with the time at which its sensor measured."""
    return tuple(
        MirroredTool(
            state.tool,
            state.to_frame,
            state.from_frame,
            state.validity,
            state.reason,
            capture_ns if state.capture_ns is None else state.capture_ns,
            b"" if state.T_to_from is None else state.T_to_from.matrix.tobytes(),
        )
        for state in states
    )


class PoseMirror:
    """Publishes the states of each batch; a reader gets the newest ones, and those that it was too slow for are gone.

    Readers may end and come back: the loop neither waits for one nor notices.

    Args:
        address: a socket file in a folder that only this user may enter, such as ``ipc:///tmp/surgnav-1/mirror``.
    """

    def __init__(self, address: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.SNDHWM, 1)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(address)

    def offer(self, states: Sequence[ToolState], capture_ns: int) -> None:
        """Sends these states to whoever reads."""
        self._socket.send(pickle.dumps(mirrored(states, capture_ns)), zmq.DONTWAIT)

    def close(self) -> None:
        self._context.destroy(linger=0)


class MirrorReader:
    """The end of one reader, in a process of the same program.

    Args:
        address: of the `PoseMirror`, which need not be there yet.
    """

    def __init__(self, address: str) -> None:
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.CONFLATE, 1)
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

    def close(self) -> None:
        self._context.destroy(linger=0)
