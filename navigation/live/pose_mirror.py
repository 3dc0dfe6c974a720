"""Hands the newest poses to another process, such as the OpenIGTLink server; the pose loop never waits for it."""

from __future__ import annotations

import pickle
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from types import MappingProxyType

import numpy as np
import zmq

from geometry.points import Floats
from navigation.devices.small_motion import covariance_at
from navigation.live.pose_graph import CalibratedTip
from navigation.live.timeline.timelines import Relative, Timelines
from navigation.live.timeline.tip_error import added_up, own_motion, tracking_motion, turned
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

_NO_TIPS: Mapping[str, CalibratedTip] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class MirroredTool:
    """One tool or the patient, as a `ToolState` has it; cheap to pickle.

    Attributes:
        numbers: the bytes of the pose's matrix ``(4, 4)``, float64; empty without one.
        noise: of a probe, the bytes of the covariance ``(6, 6)`` of its tracking, as `tracking_motion` has it; empty
            where its devices state none, and of other tools.
        stamp_bound_ns: of a probe or a tip: how much older than `capture_ns` says the pose may be.
        own_noise: of a probe, as `noise`, by its own marker alone; of a tip, the bytes of its covariance ``(3, 3)`` in
            mm^2 by its own marker and its calibration, along the axes of ``reference``. What is seen beside another
            tool of the same instant does not hang on how the reference was seen.
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
    own_noise: bytes = b""

    @property
    def T_to_from(self) -> Floats | None:
        """The pose as a matrix ``(4, 4)`` in mm; None without one."""
        return np.frombuffer(self.numbers).reshape(4, 4) if self.numbers else None

    @property
    def tracking(self) -> Floats | None:
        """The covariance ``(6, 6)`` of `noise`; None without one."""
        return np.frombuffer(self.noise).reshape(6, 6) if self.noise else None

    @property
    def own_tracking(self) -> Floats | None:
        """The covariance of `own_noise`, ``(6, 6)`` of a probe and ``(3, 3)`` of a tip; None without one."""
        if not self.own_noise:
            return None
        numbers = np.frombuffer(self.own_noise)
        side = round(len(numbers) ** 0.5)
        return numbers.reshape(side, side)


def mirrored(
    states: Sequence[ToolState],
    capture_ns: int,
    timelines: Timelines | None = None,
    probes: Collection[str] = (),
    tips: Mapping[str, CalibratedTip] = _NO_TIPS,
) -> tuple[MirroredTool, ...]:
    """The states of one batch, each with the time at which its sensor measured.

    Args:
        timelines: what the states were computed from.
        probes, tips: the tools of which it is told how well they were seen, with timelines.
    """
    return tuple(
        MirroredTool(
            state.tool,
            state.to_frame,
            state.from_frame,
            state.validity,
            state.reason,
            capture_ns if state.capture_ns is None else state.capture_ns,
            b"" if state.T_to_from is None else state.T_to_from.matrix.tobytes(),
            *(() if timelines is None else _how_seen(state, timelines, probes, tips)),
        )
        for state in states
    )


def _how_seen(
    state: ToolState, timelines: Timelines, probes: Collection[str], tips: Mapping[str, CalibratedTip]
) -> tuple[bytes, int, bytes]:
    """The noise of a probe's tracking, the bound of a tool's time, and the noise of its own marker."""
    is_told = state.T_to_from is not None and (state.tool in probes or state.tool in tips)
    relative = timelines.newest(state.tool) if is_told else None
    if not isinstance(relative, Relative):
        return b"", 0, b""
    bound_ns = max(relative.tool.stamp_bound_ns, 0 if relative.reference is None else relative.reference.stamp_bound_ns)
    if state.tool in probes:
        return _numbers(tracking_motion(relative)), bound_ns, _numbers(own_motion(relative))
    return b"", bound_ns, _numbers(own_tip_mm2(relative, tips[state.tool]))


def own_tip_mm2(relative: Relative, tip: CalibratedTip) -> Floats | None:
    """Covariance ``(3, 3)`` in mm^2 of a tip by its own marker and its calibration, along the axes of ``reference``.

    Returns:
        None where a part is not known.
    """
    own = own_motion(relative)
    if own is None:
        return None
    lever_mm = relative.T_reference_tool.rotation_matrix @ tip.T_tool_tip.translation_mm
    return added_up([covariance_at(own, lever_mm), turned(tip.covariance_mm2, relative.T_reference_tool)])


def _numbers(covariance: Floats | None) -> bytes:
    return b"" if covariance is None else covariance.tobytes()


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
        probes: probes of which readers are told how well they were seen, and tips beside them; without, of no tool.
    """

    def __init__(self, address: str, probes: Collection[str] = ()) -> None:
        self._probes = frozenset(probes)
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.SNDHWM, 1)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(address)

    def offer(
        self,
        states: Sequence[ToolState],
        capture_ns: int,
        timelines: Timelines | None = None,
        tips: Mapping[str, CalibratedTip] = _NO_TIPS,
    ) -> None:
        """Sends these states to whoever reads; `timelines` and `tips` are what they were computed from."""
        tips = tips if self._probes else _NO_TIPS
        self._socket.send(pickle.dumps(mirrored(states, capture_ns, timelines, self._probes, tips)), zmq.DONTWAIT)

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
