"""The real process: it ends with its source, dies, is stopped, and says why it cannot start."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from geometry.errors import SurgNavError
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.processes.priority import ULTRASOUND, going_first
from navigation.ultrasound.live_view import LiveView, Outputs
from navigation.ultrasound.outputs import Video
from navigation.ultrasound.pipeline import USABLE, FrameResult
from navigation.ultrasound.process import UltrasoundProcess
from navigation.ultrasound.record import ContourRecord
from navigation.ultrasound.shown import Display
from navigation.ultrasound.summary import Summary
from navigation.ultrasound.worker import WorkerConfig
from tests.reconstruction.ultrasound.frames import bone_frame
from tests.reconstruction.ultrasound.networks import tiny_network_without_statistics

CLOCK = MonotonicClock()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import cv2

    folder = tmp_path_factory.mktemp("frames")
    for number in range(8):
        cv2.imwrite(str(folder / f"{number}.png"), bone_frame(number))
    return folder


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tiny_network_without_statistics(tmp_path_factory.mktemp("network")))


def config(folder: Path, **more: object) -> WorkerConfig:
    fields: dict[str, object] = {
        "source": str(folder),
        "rate_hz": 20.0,
        "speed": 1.0,
        "loop": False,
        "model": "bone",
        "engine": "openvino",
        "cache": Path("/nowhere"),
        "endpoint": "",
        **more,
    }
    return WorkerConfig(**fields)  # type: ignore[arg-type]


def watch(process: UltrasoundProcess, until: Callable[[Display], bool]) -> tuple[Display, list[FrameResult]]:
    """Takes results until a display of them is as wanted; fails after ten seconds."""
    display, results, end_ns = Display(30.0), [], CLOCK.now_ns() + 10 * NS_PER_S
    while not until(display):
        assert CLOCK.now_ns() < end_ns, (display.at(CLOCK.now_ns()), process.ended)
        for result in process.take(10_000_000):
            results.append(result)
            display.take(result)
        if process.ended is not None:
            display.end(process.ended.reason)
    return display, results


def test_a_recording_comes_through_with_its_pixels_and_ends(folder: Path) -> None:
    with going_first(niceness=ULTRASOUND) as is_first, UltrasoundProcess(config(folder), CLOCK) as process:
        assert process.pid is not None
        # What goes first has a session of its own, or it would take the time of what it was started by and with.
        assert os.getsid(process.pid) == (process.pid if is_first else os.getsid(0))
        assert process.started.rate_hz == pytest.approx(20.0)
        assert "bone" in process.started.finder
        _, results = watch(process, lambda display: display.at(CLOCK.now_ns()).state == "ended")
    assert process.ended is not None
    assert "ended" in process.ended.reason
    assert process.ended.used == len(results)
    assert process.ended.used + process.ended.passed_over == 8
    for result in results:
        assert result.pixels is not None
        np.testing.assert_array_equal(result.pixels, bone_frame(result.sequence))
        assert result.state == USABLE
        assert result.contours
        assert result.contours[0].structure == "bone"
        assert 0 < (result.age_ms or -1.0) < 5_000


def test_a_process_that_is_stopped_or_killed_leaves_no_contour_on_the_screen(folder: Path, network: str) -> None:
    with UltrasoundProcess(config(folder, loop=True, model=network), CLOCK) as process:
        pid = process.pid
        display, _ = watch(process, lambda display: display.at(CLOCK.now_ns()).is_usable)
        os.kill(pid, signal.SIGSTOP)
        watch_states = set()
        end_ns = CLOCK.now_ns() + NS_PER_S
        while CLOCK.now_ns() < end_ns:
            for result in process.take(10_000_000):
                display.take(result)
            watch_states.add(display.at(CLOCK.now_ns()).state)
        assert not display.at(CLOCK.now_ns()).is_usable
        assert "silent" in watch_states
        os.kill(pid, signal.SIGCONT)
        watch(
            process, lambda display: display.at(CLOCK.now_ns()).is_usable
        )  # it is back by itself, with the newest frame
        os.kill(pid, signal.SIGKILL)
        display, _ = watch(process, lambda display: display.at(CLOCK.now_ns()).state == "ended")
        assert "died (exit code -9)" in display.at(CLOCK.now_ns()).reason


def test_a_person_who_presses_q_gets_out_of_a_process_that_hangs(folder: Path, tmp_path: Path) -> None:
    with (
        UltrasoundProcess(config(folder, loop=True, model="bone"), CLOCK) as process,
        ContourRecord(tmp_path, {}) as record,
        Video(tmp_path / "shown.mp4", 30.0) as video,
    ):
        assert process.pid is not None
        os.kill(process.pid, signal.SIGSTOP)
        outputs = Outputs(folder=tmp_path, record=record, video=video, window=None)
        begun_ns = CLOCK.now_ns()
        ended = LiveView(process, outputs, Summary(), CLOCK).run(lambda: True)
        assert CLOCK.now_ns() - begun_ns < 5 * NS_PER_S
        assert "did not answer" in ended.reason


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"model": "no_such"}, "the model 'no_such'"),
        ({"source": "/no/such/folder"}, "/no/such/folder"),
        ({"rate_hz": None}, "stills"),
    ],
)
def test_what_cannot_start_says_why_in_the_words_of_its_error(
    folder: Path, wrong: dict[str, object], said: str
) -> None:
    with pytest.raises(SurgNavError, match=said), UltrasoundProcess(config(folder, **wrong), CLOCK):
        pass
