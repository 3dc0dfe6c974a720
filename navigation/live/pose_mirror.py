"""Hands the newest poses to another process, such as the OpenIGTLink server; the pose loop never waits for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from geometry.points import Floats
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

TAKEN = b"taken"


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
    """Sends the newest states, the next ones after the reader has answered `TAKEN` to the last.

    So the pipe holds one small message at most and never blocks. States that come while the reader is busy are not
    sent; it is given the newest ones when it is ready.

    Args:
        pipe: a connection of `multiprocessing` to the reader.
    """

    def __init__(self, pipe: Any) -> None:
        self._pipe = pipe
        self._is_ready = True

    def offer(self, states: Sequence[ToolState], capture_ns: int) -> None:
        """Sends these states if the reader is ready for them; does nothing once it has ended."""
        if self._pipe is None:
            return
        try:
            while self._pipe.poll():
                self._is_ready = self._pipe.recv_bytes() == TAKEN
            if self._is_ready:
                self._is_ready = False
                self._pipe.send(mirrored(states, capture_ns))
        except (EOFError, OSError):
            self._pipe = None
