"""Where the poses of a check come from, and how its charts are drawn: what both forms of ``surgnav accuracy`` share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from calibration.accuracy.block import Block, read_block
from calibration.accuracy.quick import tip_and_error
from calibration.accuracy.record import FOLDER, OnBlock
from calibration.result import CalibrationResult
from calibration.streams import PoseStream
from case.atomic import atomic_path
from geometry.extras import MissingExtraError
from geometry.points import Floats
from navigation.acquisition.live_poses import LivePoses
from navigation.acquisition.recordings import read_stream
from navigation.commands.accuracy.command import AccuracyRequest
from navigation.commands.calibrate.live import collect_live, opened
from navigation.commands.calibrate.source import (
    CollectingPoses,
    calibrated_tip,
    rack_of,
    recordings_or_room,
    subject_of,
    tools_of,
)
from navigation.errors import RoomError
from navigation.room.room import Room

if TYPE_CHECKING:
    from rich.console import Console


# What is done, and what collects it, made from the name of the room.
Step = tuple[str, Callable[[str], CollectingPoses]]


class Dated(OnBlock, Protocol):
    """A record that has a place in a chart of days."""

    @property
    def subject(self) -> str: ...
    @property
    def expected_distance_rms_mm(self) -> float: ...
    @property
    def limit_mm(self) -> float: ...


@dataclass(frozen=True, eq=False)
class Measuring:
    """A tool, its calibration, a block, and where the poses come from.

    Attributes:
        tip_mm: the tool's tip ``(3,)`` in its own frame.
    """

    request: AccuracyRequest
    source: tuple[Path, ...] | Room
    block: Block
    rack: Path
    result: CalibrationResult
    tip_mm: Floats
    console: Console

    @classmethod
    def of(cls, request: AccuracyRequest, console: Console) -> Measuring:
        """Reads the block, the room and the calibration in force.

        Raises:
            SurgNavError: one of them cannot be read, or there is none.
        """
        block = read_block(request.block)
        source = recordings_or_room(request.recordings or [], request.room)
        subject = subject_of(source, request.tool) if isinstance(source, Room) else request.tool
        rack, result = calibrated_tip(rack_of(request.rack, source), subject)
        return cls(request, source, block, rack, result, tip_and_error(result)[0], console)

    @property
    def records(self) -> Path:
        """The folder of the tool's records of accuracy."""
        return self.rack / self.result.subject / FOLDER

    def streams(self, steps: Sequence[Step], seconds: float | None) -> list[PoseStream]:
        """The poses of each step, recorded or collected now.

        Args:
            steps: in this order.
            seconds: live: each step ends after so long; None where it is enough or a key is pressed.

        Raises:
            RoomError: another number of recordings.
            SurgNavError: no poses.
        """
        request = self.request
        if isinstance(self.source, Room):
            return self._live(self.source, steps, seconds)
        if len(self.source) != len(steps):
            raise RoomError(
                f"{len(self.source)} recordings",
                f"{len(steps)}: {', '.join(title for title, _ in steps)}",
                "name them in this order; with --quick it is one, of all points touched once",
            )
        return [
            read_stream(path, request.tool, request.id_in_file, topic=request.topic, relative_to=request.relative_to)
            for path in self.source
        ]

    def _live(self, room: Room, steps: Sequence[Step], seconds: float | None) -> list[PoseStream]:
        """The poses of each step; the devices run from the first to the last."""
        request, streams = self.request, []
        room = tools_of(room, request.tool, request.relative_to)
        with opened(room) as running:
            for title, collecting in steps:
                collected, poses = collecting(room.name), LivePoses(running.tracker, request.tool, request.relative_to)
                collect_live(
                    collected,
                    poses.next,
                    running,
                    self.console,
                    title=f"accuracy of {request.tool} on {self.block.name}, {title}",
                    seconds=seconds,
                    note=partial(getattr, poses, "why"),
                )
                streams.append(collected.stream(poses.n_missing))
        return streams

    def say(self, line: str, style: str = "") -> None:
        self.console.print(line, style=style, highlight=False, markup=False)

    def draw_days(self, days: Sequence[Dated], lines_mm: dict[str, list[float]], path: Path) -> bool:
        """Draws the chart of all days; without matplotlib it is said that there is none, and False returned."""
        from navigation.pictures.accuracy_days import accuracy_picture

        try:
            with atomic_path(path) as whole:
                accuracy_picture(
                    [day.made_at for day in days],
                    lines_mm,
                    [day.expected_distance_rms_mm for day in days],
                    [day.limit_mm for day in days],
                    whole,
                    title=f"{self.result.subject} on {self.block.name}",
                )
        except MissingExtraError as error:
            self.say(f"no chart: {error.action}", "yellow")
            return False
        self.say(f"{len(days)} checks so far: {path}")
        return True
