"""A sweep of live ultrasound compounded in a process of its own, and its handle: neither poses nor contours wait."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from calibration.ultrasound_probe.scan_geometry import ScanGeometry
from geometry.clock import Clock
from geometry.errors import SurgNavError
from geometry.frames import REFERENCE
from geometry.points import Bools
from geometry.surface import Surface
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.live.offered_surfaces import LevelSettings, encode_levels
from navigation.live.standing.sweep import SweepStanding
from navigation.processes.child import STOP, Child, ChildState
from navigation.room.room_file import SweepKeys
from navigation.ultrasound.freehand.live_volume import LiveVolume, surface_of
from navigation.ultrasound.freehand.sweep_files import write_sweep
from navigation.ultrasound.live.frame_mirror import MOST_WAITING, FrameReader
from navigation.ultrasound.placing import ProbeInForce
from reconstruction.freehand.compounding import Compounded
from reconstruction.freehand.grid import FreehandGrid
from reconstruction.freehand.holes import Filled
from reconstruction.freehand.settings import CompoundingSettings, Interpolation
from unity_bridge.surfaces.levels import EncodedLevel

# Never the name of a structure of a case, which has no spaces.
SWEEP = "ultrasound sweep"
_NICE = 5  # after poses, contours and whatever else is of now
_PATIENCE_MS, _IDLE_S = 20, 0.05
_TELL_EVERY_NS = NS_PER_S // 4
# Of the time: frames come meanwhile, and wait.
_MOST_SHARE = 0.25
# A quarter of the time that the eight voxels around a pixel take; voxels are coarser than pixels here.
_NEAREST = CompoundingSettings(Interpolation.NEAREST)
# Voxels, of a surface while it grows: the last one and the file have all that the longer sticks bridge.
_QUICK_STICK = 5
_COARSE = LevelSettings(triangle_counts=(4_000,), glb=False)


@dataclass(frozen=True, kw_only=True)
class SweepConfig:
    """What the process is started with; it can be pickled.

    Attributes:
        probe: the probe's calibrations in force.
        frames: address of the `FrameMirror`.
        keys: of the room file.
        folder: where a sweep is kept when it ends; None where nothing is recorded.
    """

    probe: ProbeInForce
    frames: str
    keys: SweepKeys
    folder: Path | None

    @property
    def mask(self) -> Bools:
        """The pixels that the probe scans, ``(h, w)``; all, where its calibration does not state the geometry."""
        geometry = ScanGeometry.of_numbers(self.probe.spatial.numbers)
        width, height = self.probe.size_px
        return np.ones((height, width), bool) if geometry is None else geometry.mask


@dataclass(frozen=True)
class Begin:
    """A sweep is to begin, in place of the one before; sent to the process.

    Attributes:
        number: of this sweep.
        file: name of its files, without their endings.
    """

    number: int
    file: str


@dataclass(frozen=True)
class End:
    """The sweep is to end, and is kept; sent to the process."""


@dataclass(frozen=True)
class Swept:
    """The surface of a sweep as it is now, in `reference`; sent by the process.

    Attributes:
        number: of the sweep.
        levels: for headsets, the coarsest first; empty where nothing reaches the level.
    """

    number: int
    levels: tuple[EncodedLevel, ...]


@dataclass(frozen=True)
class Kept:
    """A sweep has ended; sent by the process.

    Attributes:
        number: of the sweep.
        path: of the volume; None where it is not kept.
        problem: why not; empty if it is.
        is_lost: whether its process has ended, and all that was swept is gone.
    """

    number: int
    path: Path | None
    problem: str = ""
    is_lost: bool = False


class LiveSweep:
    """The process, which is started again where it ends by itself; call `poll` often.

    Attributes:
        standing: how it stood when it last said so.
        is_ready: whether it has loaded the program; what is begun before is missing its first frames.
    """

    def __init__(self, config: SweepConfig, clock: Clock) -> None:
        self.standing, self.is_ready = SweepStanding(), False
        self._number, self._restarts = 0, 0
        self._is_running = self._is_open = False
        self._child = Child("sweep process", run_live_sweep, lambda: (config,), clock)

    @property
    def state(self) -> ChildState:
        """How the process stands."""
        return self._child.state

    @property
    def is_running(self) -> bool:
        """Whether a sweep was begun and not ended."""
        return self._is_running

    def begin(self, file: str) -> None:
        """Begins a sweep anew, whose files will have this name."""
        self._number += 1
        self._is_running = self._is_open = True
        self.standing = SweepStanding(number=self._number, is_running=True)
        self._child.send(Begin(self._number, file))

    def end(self) -> None:
        """Ends the sweep; its last surface comes, and then where it is kept."""
        self._is_running = False
        self._child.send(End())

    def poll(self) -> tuple[Sequence[Swept | Kept], Sequence[tuple[str, bool]]]:
        """What has become of the newest sweep, and lines for the operator, each with True if it reports a problem.

        Raises:
            SurgNavError: what keeps it from running at all.
        """
        came: list[Swept | Kept] = []
        for said in self._child.poll():
            self.is_ready = True
            if said.number != self._number:
                continue
            if isinstance(said, SweepStanding):
                self.standing = said
            else:
                came.append(said)
                self._is_open &= isinstance(said, Swept)
        is_gone = not self._child.state.is_running or self._child.state.restarts > self._restarts
        self._restarts = self._child.state.restarts
        self.is_ready &= not is_gone
        if is_gone and self._is_open:
            self._is_running = self._is_open = False
            self.standing = SweepStanding(number=self._number)
            came.append(Kept(self._number, None, "its process has ended: sweep again", is_lost=True))
        return came, self._child.take_news()

    def close(self) -> None:
        """Stops the process; may be called again."""
        self._child.close()


def run_live_sweep(config: SweepConfig, pipe: Any) -> None:
    """Entry point of the process: it receives `Begin`, `End` or `STOP`, and sends `SweepStanding`, `Swept`, `Kept`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICE)
    try:
        with ExitStack() as stack:
            worker = _Worker(config, pipe, stack)
            while worker.takes_orders():
                worker.step()
    except SurgNavError as error:
        pipe.send(error)
    except (EOFError, BrokenPipeError):
        return  # the service has ended


class _Worker:
    """Takes frames into the volume, and makes a surface of it when one is due."""

    def __init__(self, config: SweepConfig, pipe: Any, stack: ExitStack) -> None:
        self._config, self._pipe, self._clock = config, pipe, MonotonicClock()
        self._sweep = Begin(0, "")
        self._volume = LiveVolume(config.mask, config.keys.spacing_mm, _NEAREST)
        self._reader: FrameReader | None = None
        self._due_ns = self._told_ns = 0
        self._made = self._triangles = self._lost = 0
        self._took_s, self._problem = 0.0, ""
        stack.callback(self._stop_reading)
        _warm_up()
        pipe.send(SweepStanding())

    def takes_orders(self) -> bool:
        """Does what the service has asked for; False if that is the end."""
        while self._pipe.poll(0.0 if self._reader is not None else _IDLE_S):
            order = self._pipe.recv()
            if order == STOP:
                return False
            if isinstance(order, Begin):
                self._begin(order)
            elif self._reader is not None:
                self._end()
        return True

    def step(self) -> None:
        """Takes a frame in, makes a surface if it is due, and tells how it stands."""
        if self._reader is None:
            return
        frame = self._reader.next(_PATIENCE_MS)
        if frame is not None:
            self._volume.add(frame)
        now_ns = self._clock.now_ns()
        if now_ns >= self._due_ns and self._volume.n_frames > self._made:
            self._show()
        if now_ns - self._told_ns >= _TELL_EVERY_NS:
            self._told_ns = now_ns
            self._pipe.send(self._standing())

    def _begin(self, order: Begin) -> None:
        self._stop_reading()
        self._sweep = order
        self._volume = LiveVolume(self._config.mask, self._config.keys.spacing_mm, _NEAREST)
        self._made = self._triangles = self._lost = 0
        self._took_s, self._problem = 0.0, ""
        self._reader = FrameReader(self._config.frames)
        self._due_ns = self._clock.now_ns() + round(self._config.keys.every_s * NS_PER_S)

    def _end(self) -> None:
        """What has come, the last surface, and the files."""
        for _ in range(MOST_WAITING):
            frame = None if self._reader is None else self._reader.next(0)
            if frame is None:
                break
            self._volume.add(frame)
        self._stop_reading()
        number, filled = self._sweep.number, self._volume.filled()
        if filled is None:
            self._pipe.send(self._standing())
            why = self._volume.left_out.most_common(1)
            reason = f"{self._volume.left_out.total()} were left out, most of them: {why[0][0]}" if why else "none came"
            self._pipe.send(Kept(number, None, f"no frame entered; {reason}"))
            return
        surface = self._show_of(filled)
        self._pipe.send(self._standing())
        self._pipe.send(self._kept(filled, surface))

    def _kept(self, filled: Filled, surface: Surface | None) -> Kept:
        number, folder = self._sweep.number, self._config.folder
        if folder is None:
            return Kept(number, None, "nothing is recorded (--no-record)")
        about = {"source": "live", "level": self._config.keys.level, "frames_lost": self._lost}
        try:
            return Kept(number, write_sweep(folder / self._sweep.file, self._volume, filled, surface, about))
        except (OSError, RuntimeError) as error:  # the latter is SimpleITK's
            return Kept(number, None, f"its files cannot be written: {error}")

    def _show(self) -> None:
        filled = self._volume.filled(_QUICK_STICK)
        if filled is not None:
            self._show_of(filled)

    def _show_of(self, filled: Filled) -> Surface | None:
        """Sends the surface of the volume, and says when the next one is due; it takes a part of the time only."""
        begun_ns, keys = self._clock.now_ns(), self._config.keys
        self._made = self._volume.n_frames
        surface: Surface | None = None
        levels: tuple[EncodedLevel, ...] = ()
        self._problem = ""
        try:
            surface = surface_of(filled, keys.level, SWEEP)
            levels = () if surface is None else encode_levels(surface, _COARSE)
        except SurgNavError as error:  # the frames are kept all the same, and the next surface may be one
            self._problem = error.came
        self._triangles = 0 if surface is None else len(surface.triangles)
        self._pipe.send(Swept(self._sweep.number, levels))
        took_ns = self._clock.now_ns() - begun_ns
        self._took_s = took_ns / NS_PER_S
        self._due_ns = begun_ns + max(round(keys.every_s * NS_PER_S), round(took_ns / _MOST_SHARE))
        return surface

    def _standing(self) -> SweepStanding:
        why = self._volume.left_out.most_common(1)
        if self._reader is not None:
            self._lost = self._reader.lost
        return SweepStanding(
            number=self._sweep.number,
            is_running=self._reader is not None,
            frames=self._volume.n_frames,
            left_out=self._volume.left_out.total(),
            why=why[0][0] if why else "",
            lost=self._lost,
            triangles=self._triangles,
            took_s=self._took_s,
            problem=self._problem,
        )

    def _stop_reading(self) -> None:
        if self._reader is not None:
            self._lost = self._reader.lost
            self._reader.close()
            self._reader = None


def _warm_up() -> None:
    """Loads what a surface is made with, which takes seconds on a busy machine."""
    grey, seen = np.zeros((8, 8, 8), np.uint8), np.ones((8, 8, 8), bool)
    grey[2:6, 2:6, 2:6] = 255
    cube = Compounded(FreehandGrid(REFERENCE, np.zeros(3), np.full(3, 2.0), grey.shape), grey, seen)
    surface = surface_of(Filled(cube, ~seen), 128, SWEEP)
    if surface is not None:
        encode_levels(surface, _COARSE)
