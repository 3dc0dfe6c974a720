"""Hands the placed frames of live ultrasound to the process that compounds them; the ultrasound never waits for it."""

from __future__ import annotations

import pickle
from dataclasses import replace

import zmq

from navigation.ultrasound.live.placed_frame import PlacedFrame

# Some seconds of a scanner: longer than it takes to make a surface, and a hundred megabytes at most.
MOST_WAITING = 128


def frames_address(poses: str) -> str:
    """Where frames are mirrored, beside the poses of the same service (`navigation.live.pose_mirror`)."""
    return f"{poses}-frames"


class FrameMirror:
    """Publishes each frame with its place; where nobody reads, it goes nowhere.

    Args:
        address: a socket file in a folder that only this user may enter.
    """

    def __init__(self, address: str) -> None:
        self._context, self._number = zmq.Context(), 0
        self._socket = self._context.socket(zmq.PUB)
        self._socket.setsockopt(zmq.SNDHWM, MOST_WAITING)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.bind(address)

    def offer(self, placed: PlacedFrame) -> None:
        """Sends one frame, without its contours; one for which there is no room is gone."""
        self._number += 1
        lean = replace(placed, result=replace(placed.result, contours=()), errors=None, errors_reference=None)
        self._socket.send(pickle.dumps((self._number, lean), pickle.HIGHEST_PROTOCOL), zmq.DONTWAIT)

    def close(self) -> None:
        """May be called again."""
        self._context.destroy(linger=0)


class FrameReader:
    """The end of a process of the same program, from when it is made.

    Args:
        address: of the `FrameMirror`, which need not be there yet.

    Attributes:
        lost: frames that were sent and never came.
    """

    def __init__(self, address: str) -> None:
        self.lost = 0
        self._newest: int | None = None
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.RCVHWM, MOST_WAITING)
        self._socket.setsockopt(zmq.SUBSCRIBE, b"")
        self._socket.connect(address)

    def next(self, timeout_ms: int) -> PlacedFrame | None:
        """The oldest frame that has not been read; None if none comes within that time."""
        if not self._socket.poll(timeout_ms):
            return None
        number, placed = pickle.loads(self._socket.recv(zmq.DONTWAIT))
        if self._newest is not None and number > self._newest:  # smaller, where the mirror has begun anew
            self.lost += number - self._newest - 1
        self._newest = number
        frame: PlacedFrame = placed
        return frame

    def close(self) -> None:
        """May be called again."""
        self._context.destroy(linger=0)
