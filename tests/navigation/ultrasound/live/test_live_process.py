"""The live ultrasound as a process, with a simulated scanner over OpenIGTLink: what goes wrong has a reason."""

from __future__ import annotations

import itertools
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from navigation.clock import MonotonicClock
from navigation.live.standing.ultrasound import UltrasoundStanding
from navigation.ultrasound.findings.mark import Marked
from navigation.ultrasound.live.process import LiveUltrasound
from reconstruction.ultrasound.errors import UltrasoundError
from tests.navigation.ultrasound.distances.balls import ball
from tests.navigation.ultrasound.live.probes import T_REFERENCE_CT
from tests.navigation.ultrasound.live.scanner import Scanner, film, live_config
from tests.navigation.ultrasound.live.vessels import REGISTERED
from tests.reconstruction.ultrasound.frames import bone_frame
from unity_bridge.wire.envelope import Validity

PATIENCE_S = 60.0


class Watched:
    """The process and all that it has said of itself."""

    def __init__(self, scanner: Scanner, live: LiveUltrasound) -> None:
        self.scanner, self.live = scanner, live
        self.news: list[str] = []

    def wait_for(self, wanted: Callable[[UltrasoundStanding], object]) -> UltrasoundStanding:
        until_s = time.monotonic() + PATIENCE_S
        while time.monotonic() < until_s:
            self.news += [line for line, _ in self.live.poll()]
            if self.live.standing is not None and wanted(self.live.standing):
                return self.live.standing
            time.sleep(0.02)
        pytest.fail(f"never so; last {self.live.standing}, {self.news}")


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    return film()


@pytest.fixture
def watched(images: list[np.ndarray], tmp_path: Path) -> Iterator[Watched]:
    poses = f"ipc://{tmp_path}/mirror"
    scanner = Scanner(images, poses)
    live = LiveUltrasound(live_config(scanner.port, tmp_path / "cache"), poses, MonotonicClock())
    yield Watched(scanner, live)
    live.close()
    scanner.close()


def is_placed(now: UltrasoundStanding) -> bool:
    return now.state == "usable" and now.placing is Validity.VALID


def test_cable_and_probe_and_process_each_come_back_by_themselves(watched: Watched) -> None:
    scanner = watched.scanner
    first = watched.wait_for(lambda now: is_placed(now) and now.used > 20)
    assert (first.to_frame, first.words) == ("reference", "usable, placed in reference")
    assert first.age_ms < 1_000.0

    scanner.pull_cable()
    pulled = watched.wait_for(lambda now: now.state == "ended")
    assert "it is opened again" in pulled.reason
    scanner.plug_in()
    again = watched.wait_for(is_placed)
    assert (again.breaks > 0, again.used > first.used) == (True, True)

    scanner.is_silent = True
    assert "no new frame for" in watched.wait_for(lambda now: now.state == "silent").reason
    scanner.is_silent = False
    watched.wait_for(is_placed)

    scanner.T_reference_ct = T_REFERENCE_CT
    assert watched.wait_for(lambda now: is_placed(now) and now.to_frame == "ct").words == "usable, placed in ct"

    scanner.probe = (Validity.LOST, "occluded")
    lost = watched.wait_for(lambda now: now.state == "usable" and now.placing is Validity.LOST)
    assert "no pose of probe at the time that the image shows: lost: occluded" in lost.words
    scanner.probe = (Validity.SUSPECT, "jumped")
    assert "probe suspect: jumped" in watched.wait_for(lambda now: now.placing is Validity.SUSPECT).words
    scanner.probe = (Validity.VALID, "")
    watched.wait_for(is_placed)

    os.kill(watched.live.state.process_id, signal.SIGKILL)
    watched.wait_for(lambda now: watched.live.state.restarts == 1 and is_placed(now))
    assert any("killed by signal 9; it is started again" in line for line in watched.news)


def test_contours_are_measured_to_what_the_plan_has_now_and_by_the_next_process_too(watched: Watched) -> None:
    shown = itertools.cycle([cv2.resize(bone_frame(seed), (160, 160)) for seed in range(12)])
    watched.scanner.alter = lambda pixels: next(shown)
    watched.scanner.T_reference_ct = T_REFERENCE_CT
    watched.live.measure_to((("artery", ball((-8.0, 84.8, 15.0), 3.0)),))
    measured = watched.wait_for(lambda now: now.distances)
    assert measured.distances[0].startswith("bone to artery: at least ")
    found: list[Marked] = []

    def is_marked(_: UltrasoundStanding) -> bool:
        watched.live.mark("contour")
        found.extend(watched.live.take_marked())
        return bool(found and found[-1].marks)

    watched.live.follow(REGISTERED)
    watched.wait_for(is_marked)
    (mark,) = found[-1].marks
    assert (mark.structure, mark.in_frame, mark.registration) == ("bone", "ct", "r-0001")
    os.kill(watched.live.state.process_id, signal.SIGKILL)
    watched.wait_for(lambda now: watched.live.state.restarts == 1 and now.distances)
    watched.scanner.is_silent = True
    assert watched.wait_for(lambda now: now.state == "silent").distances == ()
    watched.scanner.is_silent = False
    watched.live.measure_to(())
    watched.wait_for(lambda now: now.structures and not now.distances)


def zoomed(pixels: np.ndarray) -> np.ndarray:
    """Another depth in an image of the same size: 1.6 times as large, about the middle of the first row."""
    height, width = pixels.shape
    rows = (np.arange(height) / 1.6).astype(int)
    columns = (0.5 * width + (np.arange(width) - 0.5 * width) / 1.6).astype(int)
    return np.ascontiguousarray(pixels[rows][:, columns])


def test_another_depth_or_size_is_not_placed_until_a_person_accepts_or_it_is_back(watched: Watched) -> None:
    watched.wait_for(lambda now: is_placed(now) and now.used > 20)
    watched.scanner.alter = lambda pixels: pixels[:-20]
    changed = watched.wait_for(lambda now: now.state == "size changed")
    assert "160x140 px; the run began with 160x160 px" in changed.reason
    watched.live.accept_geometry()
    refused = watched.wait_for(lambda now: now.state == "usable" and now.placing is Validity.LOST)
    assert "images of 160 x 140 px, calibrated with 160 x 160 px" in refused.words
    watched.scanner.alter = lambda pixels: pixels
    watched.live.accept_geometry()
    watched.wait_for(is_placed)


def test_another_depth_of_the_same_size_shows_in_the_image_or_in_the_motion(watched: Watched) -> None:
    watched.wait_for(lambda now: now.motion.startswith("moves"))
    watched.scanner.alter = zoomed
    changed = watched.wait_for(lambda now: now.state == "depth changed" or now.placing is Validity.SUSPECT)
    assert re.search(r"1\.[567]\d times as (large|far)", changed.reason + changed.why)
    watched.scanner.alter = lambda pixels: pixels
    watched.live.accept_geometry()
    watched.wait_for(is_placed)


def test_a_mirrored_image_and_a_wrong_lag_show_in_the_motion(watched: Watched) -> None:
    right = watched.wait_for(lambda now: now.motion.startswith("moves"))
    assert is_placed(right) or right.state != "usable"
    watched.scanner.alter = lambda pixels: np.ascontiguousarray(pixels[:, ::-1])
    mirrored = watched.wait_for(lambda now: now.placing is Validity.SUSPECT)
    assert "the image exchanges left and right" in mirrored.why
    watched.scanner.alter = lambda pixels: pixels
    watched.wait_for(is_placed)
    watched.scanner.lag_s -= 0.1
    said = re.compile(r"the image moves (\d+) ms later than the calibrated lag says")

    def is_late(now: UltrasoundStanding) -> bool:
        found = said.match(now.why)
        return now.placing is Validity.SUSPECT and found is not None and 80 <= int(found[1]) <= 120

    watched.wait_for(is_late)
    watched.scanner.lag_s += 0.1
    watched.wait_for(is_placed)


def poll_on(live: LiveUltrasound) -> None:
    for _ in range(round(PATIENCE_S / 0.05)):
        live.poll()
        time.sleep(0.05)


def test_a_model_that_is_not_there_is_said(tmp_path: Path) -> None:
    config, poses = replace(live_config(1, tmp_path), model="missing.json"), f"ipc://{tmp_path}/mirror"
    with (
        closing(LiveUltrasound(config, poses, MonotonicClock())) as live,
        pytest.raises(UltrasoundError, match=r"missing\.json"),
    ):
        poll_on(live)
