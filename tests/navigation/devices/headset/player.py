"""Plays a headset through the wire's own client: what it sees in its world, and when."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import numpy as np
import zmq
from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import HEADSET
from navigation.clock import MonotonicClock
from unity_bridge.client.control_link import ControlLink, ControlSettings
from unity_bridge.wire.envelope import NO_SESSION, Session
from unity_bridge.wire.messages import Hello, ObservedTool

CLOCK = MonotonicClock()
PATIENCE_NS = 30_000_000_000


class Headset:
    """One run of a headset's program, driven by its owner.

    Args:
        clock: the headset's own; another one than this machine's has another name and an offset.
    """

    def __init__(self, endpoint: str, name: str, clock=CLOCK) -> None:
        self.clock = clock
        self.anchor = str(uuid.uuid4())
        self._context = zmq.Context()
        hello = Hello(client_name=name, program="a test", stream=str(uuid.uuid4()))
        settings = ControlSettings(retry_ns=100_000_000)
        self.link = ControlLink(endpoint, self._context, Session(NO_SESSION, clock), hello, settings)

    def step(self, timeout_ms: int = 2) -> None:
        self.link.socket.poll(timeout_ms)
        self.link.drain()
        self.link.tick()

    def show(self, *tools: ObservedTool, seen_ns: int | None = None) -> bool:
        """Sends what it sees now."""
        self.step(0)
        return self.link.observe(self.anchor, self.clock.now_ns() if seen_ns is None else seen_ns, tools)

    def until(self, condition, *tools: ObservedTool) -> None:
        """Shows these tools again and again until the condition holds; the test fails if it never does."""
        deadline_ns = CLOCK.now_ns() + PATIENCE_NS
        while not condition():
            assert CLOCK.now_ns() < deadline_ns, self.link.last_refusal
            self.show(*tools)
            self.step(10)

    def vanish(self) -> None:
        """Its battery is empty: no goodbye."""
        self.link.watch.close()
        self.link.socket.close(linger=0)
        self._context.term()

    def close(self) -> None:
        self.link.close()
        self._context.term()


@contextlib.contextmanager
def headset(endpoint: str, name: str, clock=CLOCK) -> Iterator[Headset]:
    with contextlib.closing(Headset(endpoint, name, clock)) as played:
        yield played


def pose(tool: str, seed: int) -> Transform:
    """Turned about all axes, and away from the origin differently along each."""
    rng = np.random.default_rng(seed)
    rotation = Rotation.from_rotvec(rng.uniform(-2.0, 2.0, 3))
    return Transform.from_rotation(rotation, rng.uniform(-700.0, 700.0, 3), HEADSET, tool)
