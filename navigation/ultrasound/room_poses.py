"""Places the live images of a room in a command by itself, by the room's tracker, as ``surgnav serve`` does."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from geometry.frames import REFERENCE
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.driver import Role
from navigation.live.pose_graph import PoseGraph
from navigation.live.pose_loop import PoseLoop
from navigation.live.pose_mirror import MirroredTool, mirrored
from navigation.live.supervisor import Supervisor, SupervisorSettings
from navigation.live.watches.room_watches import RoomWatches
from navigation.room.room import Room
from navigation.room.room_tracker import open_room
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from navigation.ultrasound.pipeline import USABLE, FrameResult
from navigation.ultrasound.placing import ProbeInForce, placed_in_record
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity

# A pose may come later than the image of its time.
_PATIENCE_NS, _LOOK_NS = NS_PER_S // 10, NS_PER_S // 200
_MOST_WAITING = 1024


class RoomPoses:
    """The devices that see probe and reference, in a thread of their own, as a context; places frames as they come.

    There is no registration, so frames are placed in ``reference``.

    Args:
        room: with a probe.
        clock: that the devices and the images are on.

    Attributes:
        probe: its calibrations in force.
        fixed: the frame that contours are placed in.
        n_placed, n_refused: usable frames that were placed for a record, and those that could not be.

    Raises:
        RoomError: no probe, or no calibrations of it in force.
    """

    def __init__(self, room: Room, clock: MonotonicClock) -> None:
        tool = room.the_tool(Role.PROBE)
        self.probe, self.fixed = ProbeInForce.of(tool), REFERENCE
        self.n_placed = self.n_refused = 0
        self._clock, self._timeline = clock, PlacingTimeline(self.probe)
        self._batches: deque[tuple[MirroredTool, ...]] = deque(maxlen=_MOST_WAITING)
        devices, graph = room.only((tool.name, REFERENCE)).devices, PoseGraph()
        limits = SupervisorSettings(stale_after_ms=room.stale_after_ms, lost_after_ms=room.lost_after_ms)
        tracker = open_room(devices, clock)
        watches = RoomWatches(devices, graph, limits, datetime.now(UTC))
        supervisor = Supervisor(tracker.tools, limits, watches.all)
        self._loop = PoseLoop(tracker, graph, supervisor, _Nobody(), clock, after=self._note)
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._loop.run, args=(self._ends.is_set,), name="surgnav-room-poses")

    def __enter__(self) -> RoomPoses:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.set()
        self._thread.join()

    def placed(self, result: FrameResult) -> PlacedFrame:
        """Where a frame lies; waits a moment where the poses have not come to its time."""
        until_ns, shows_ns = self._clock.now_ns() + _PATIENCE_NS, self._timeline.shows_ns(result)
        while True:
            while self._batches:
                self._timeline.note(self._batches.popleft())
            now_ns = self._clock.now_ns()
            if shows_ns is None or self._timeline.has_come_to(shows_ns) or now_ns >= until_ns:
                return self._timeline.place(result)
            self._clock.sleep_until_ns(now_ns + _LOOK_NS)

    def place(self, result: FrameResult) -> Mapping[str, Any] | None:
        """Where a usable frame and its contours lie, for its record, as of recordings; None of another frame.

        What is in doubt has no place there, and says why.
        """
        if result.state != USABLE or result.pixels is None:
            return None
        placed = self.placed(result)
        if placed.validity is not Validity.VALID or placed.T_reference_probe is None or placed.shows_ns is None:
            self.n_refused += 1
            return {"reason": placed.reason, "contours": []}
        self.n_placed += 1
        return placed_in_record(self.probe, self.fixed, placed.T_reference_probe.matrix, result, placed.shows_ns)

    def _note(self, states: Sequence[ToolState], capture_ns: int) -> None:
        self._batches.append(mirrored(states, capture_ns))


class _Nobody:
    """Nobody is sent the poses."""

    def publish(
        self, tools: Sequence[ToolState], capture_ns: int, validity: Validity = Validity.VALID, reason: str = ""
    ) -> int:
        return 0
