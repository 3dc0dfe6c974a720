"""The sweep as a process: frames of a body whose grey is known go in, and surfaces, files and reasons come out."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import zmq

from case.mesh_files import read_surface
from navigation.clock import MonotonicClock
from navigation.room.room_file import SweepKeys
from navigation.ultrasound.freehand.sweep_process import SWEEP, Kept, LiveSweep, SweepConfig, Swept
from navigation.ultrasound.live.frame_mirror import FrameMirror, FrameReader
from tests.navigation.ultrasound.freehand.placed_sweep import placed
from tests.navigation.ultrasound.live.probes import probe_in_force
from tests.reconstruction.freehand.sweeps import BALL_CENTRE_MM, BALL_RADIUS_MM, Sweep, convex, sweep
from unity_bridge.surfaces.payload import decode_surface
from unity_bridge.wire.convention import surface_from_unity
from unity_bridge.wire.envelope import Validity

PATIENCE_S = 60.0
KEYS = SweepKeys(level=120, spacing_mm=1.0, every_s=0.5)


@dataclass
class Room:
    """The process, the frames that it is given, and all that it has said."""

    live: LiveSweep
    mirror: FrameMirror
    swept: Sweep
    folder: Path
    came: list[Swept | Kept] = field(default_factory=list)
    news: list[str] = field(default_factory=list)
    given: int = 0

    def wait_for(self, wanted: Callable[[], object], *, feeding: bool = False, **changed) -> None:
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            came, news = self.live.poll()
            self.came += came
            self.news += [line for line, _ in news]
            if wanted():
                return
            if feeding and self.given < len(self.swept.frames):
                self.mirror.offer(placed(self.swept, self.given, **changed))
                self.given += 1
            time.sleep(0.01)
        pytest.fail(f"never so: {self.live.standing}, {self.came}, {self.news}")

    def surfaces(self) -> list[Swept]:
        return [each for each in self.came if isinstance(each, Swept)]

    def kept(self) -> Kept | None:
        return next((each for each in self.came if isinstance(each, Kept)), None)


@pytest.fixture(scope="module")
def swept() -> Sweep:
    return sweep("convex", "fan", step=0.25)


@pytest.fixture
def room(swept: Sweep, tmp_path: Path) -> Iterator[Room]:
    address = f"ipc://{tmp_path}/frames"
    geometry, known = convex(swept.mask.shape), probe_in_force()
    width, height = geometry.size_px
    numbers = geometry.numbers() | {"image_width_px": width, "image_height_px": height}
    numbers |= {"spacing_x_mm": geometry.pixel_mm[0], "spacing_y_mm": geometry.pixel_mm[1]}
    probe = replace(known, size_px=(width, height), spatial=known.spatial.model_copy(update={"numbers": numbers}))
    config = SweepConfig(probe=probe, frames=address, keys=KEYS, folder=tmp_path / "recordings")
    with closing(FrameMirror(address)) as mirror, closing(LiveSweep(config, MonotonicClock())) as live:
        yield Room(live, mirror, swept, tmp_path / "recordings")


def begun(room: Room, file: str = "sweep_1", **changed) -> None:
    """The sweep runs, and hears: of what is sent before, nothing comes."""
    room.wait_for(lambda: room.live.is_ready)
    room.live.begin(file)
    first = placed(room.swept, 0, **(changed or {"state": "no contact"}))

    def hears() -> bool:
        room.mirror.offer(first)
        return room.live.standing.left_out > 0

    room.wait_for(hears)


def vertices_mm(level) -> np.ndarray:
    return surface_from_unity(decode_surface(level.payload.data).surface).vertices_mm


def test_a_ball_grows_while_it_is_swept_and_is_kept_where_it_is(room: Room) -> None:
    begun(room)
    room.wait_for(lambda: len(room.surfaces()) >= 2 and room.given == len(room.swept.frames), feeding=True)
    room.wait_for(lambda: room.live.standing.frames == room.given)
    room.live.end()
    room.wait_for(room.kept)
    counts = [each.levels[-1].payload.triangle_count for each in room.surfaces()]
    assert counts[0] < counts[-1]
    finest = room.surfaces()[-1].levels[-1]
    assert (finest.payload.name, finest.payload.frame) == (SWEEP, "reference")
    distances = np.linalg.norm(vertices_mm(finest) - BALL_CENTRE_MM, axis=1)
    assert abs(np.median(distances) - BALL_RADIUS_MM) < 0.25, "half of half a voxel"
    check_files(room, vertices_mm(finest))


def check_files(room: Room, swept_mm: np.ndarray) -> None:
    """As `surgnav ultrasound volume` writes them: another reader finds the ball at its place."""
    path = room.kept().path
    assert path == room.folder / "sweep_1.nrrd"
    names = ["sweep_1.json", "sweep_1.nrrd", "sweep_1.png", "sweep_1_surface.stl"]
    assert sorted(each.name for each in room.folder.iterdir()) == names
    image = sitk.ReadImage(str(path))
    bright = np.argwhere(sitk.GetArrayFromImage(image) >= 120)[:, ::-1].tolist()
    centre = np.mean([image.TransformIndexToPhysicalPoint(index) for index in bright], axis=0)
    np.testing.assert_allclose(centre, BALL_CENTRE_MM, atol=0.3)
    kept = read_surface(room.folder / "sweep_1_surface.stl")
    assert kept.frame == "reference"
    np.testing.assert_allclose(np.ptp(kept.vertices_mm, axis=0), np.ptp(swept_mm, axis=0), atol=0.02)
    report = json.loads((room.folder / "sweep_1.json").read_text("utf-8"))
    assert (report["frame"], report["frames"], report["level"]) == ("reference", len(room.swept.frames), 120)
    assert report["left_out"] == {"the probe is in the air": room.live.standing.left_out}
    ball_ml = 4e-3 / 3 * np.pi * BALL_RADIUS_MM**3
    assert abs(report["surface_ml"] - ball_ml) < 0.1 * ball_ml


def test_of_frames_that_may_not_be_believed_nothing_is_made_and_it_is_said(room: Room) -> None:
    doubt = {"validity": Validity.SUSPECT, "reason": "the reference was bumped"}
    begun(room, **doubt)
    room.wait_for(lambda: room.live.standing.left_out > 20, feeding=True, **doubt)
    room.live.end()
    room.wait_for(room.kept)
    assert not room.surfaces()
    assert room.kept().path is None
    assert "no frame entered" in room.kept().problem
    assert "the reference was bumped" in room.kept().problem
    assert not room.folder.exists()


def test_a_process_that_is_killed_loses_the_sweep_and_takes_the_next(room: Room) -> None:
    begun(room)
    room.wait_for(lambda: room.live.standing.frames > 5, feeding=True)
    os.kill(room.live.state.process_id, signal.SIGKILL)
    room.wait_for(room.kept)
    assert room.kept().is_lost
    assert not room.live.is_running
    assert not room.live.is_ready
    room.wait_for(lambda: room.live.state.restarts == 1 and room.live.state.is_running)
    room.given, room.came = 0, []
    begun(room, "sweep_2")
    room.wait_for(lambda: room.live.standing.frames == len(room.swept.frames), feeding=True)
    room.live.end()
    room.wait_for(room.kept)
    assert room.kept().path == room.folder / "sweep_2.nrrd"


def test_files_that_cannot_be_written_are_said(room: Room) -> None:
    room.folder.write_text("a file where the folder should be")
    begun(room)
    room.wait_for(lambda: room.live.standing.frames > 20, feeding=True)
    room.live.end()
    room.wait_for(room.kept)
    assert room.kept().path is None
    assert "cannot be written" in room.kept().problem
    assert room.surfaces(), "the surface is there all the same"


def test_a_reader_that_is_slow_loses_frames_and_counts_them_and_nobody_waits_for_it(swept: Sweep, tmp_path: Path):
    address, sent = f"ipc://{tmp_path}/frames", 2_000
    with closing(FrameMirror(address)) as mirror, closing(FrameReader(address)) as reader:
        until_s = time.monotonic() + PATIENCE_S
        while reader.next(10) is None and time.monotonic() < until_s:
            mirror.offer(placed(swept, 0))
        for number in range(sent):
            with suppress(zmq.Again):  # never: what has no room is dropped
                mirror.offer(placed(swept, number % len(swept.frames)))
        came = 0
        while reader.next(500) is not None:
            came += 1
        mirror.offer(placed(swept, 0))
        assert reader.next(5_000) is not None
        assert 0 < came < sent
        assert reader.lost >= sent - came
