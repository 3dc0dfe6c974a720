"""``surgnav ultrasound run`` as a person types it: stills, a recording as it comes, and every frame of one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from navigation.cli import app
from navigation.ultrasound.record import FILE
from tests.reconstruction.ultrasound.frames import bone_frame
from tests.reconstruction.ultrasound.networks import tiny_network_without_statistics


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six frames of a moving femur; the last is of another size."""
    folder = tmp_path_factory.mktemp("frames")
    for number in range(6):
        cv2.imwrite(str(folder / f"{number}.png"), bone_frame(number)[: 390 if number == 5 else 400])
    return folder


@pytest.fixture(scope="module")
def quick(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    network = tiny_network_without_statistics(tmp_path_factory.mktemp("network"))
    return ["--model", str(network), "--no-window"]


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["ultrasound", "run", *map(str, words)])


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / FILE).read_text("utf-8").splitlines()]


def test_stills_are_each_by_themselves_with_a_picture_each(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(folder, "--model", "bone", "--out", out, "--json", tmp_path / "numbers.json")
    assert done.exit_code == 0, done.output
    head, *frames = lines(out)
    assert (head["live"], head["source"]) == (False, str(folder))
    assert [frame["state"] for frame in frames] == ["usable"] * 6  # stills have no size to keep
    assert [frame["capture_ns"] for frame in frames] == [None] * 6
    assert [frame["label"] for frame in frames] == [f"{n}.png" for n in range(6)]
    assert all(frame["contours"][0]["structure"] == "bone" for frame in frames)
    pictures = sorted((out / "pictures").iterdir())
    assert [path.name for path in pictures] == [f"0000{n}_{n}.png" for n in range(6)]
    assert json.loads((tmp_path / "numbers.json").read_text("utf-8"))["frames_with"] == {"bone": 6}


def test_every_frame_of_a_recording_is_handled_in_its_own_time(folder: Path, tmp_path: Path, quick: list[str]) -> None:
    done = run(folder, *quick, "--rate", 10, "--every-frame", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    _, *frames = lines(tmp_path / "out")
    assert [frame["capture_ns"] for frame in frames] == [n * 100_000_000 for n in range(6)]
    assert [frame["age_ms"] for frame in frames] == [None] * 6
    assert [frame["state"] for frame in frames] == ["usable"] * 5 + ["size changed"]
    assert frames[5]["contours"] == []
    video = cv2.VideoCapture(str(tmp_path / "out" / "shown.mp4"))
    assert video.get(cv2.CAP_PROP_FPS) == pytest.approx(10.0)
    shown = 0
    while video.read()[0]:
        shown += 1
    assert shown == 6


def test_a_recording_as_it_comes_is_shown_in_a_process_of_its_own(
    folder: Path, tmp_path: Path, quick: list[str]
) -> None:
    numbers = tmp_path / "numbers.json"
    done = run(folder, *quick, "--rate", 10, "--loop", "--seconds", 2, "--out", tmp_path / "out", "--json", numbers)
    assert done.exit_code == 0, done.output
    head, *frames = lines(tmp_path / "out")
    assert head["live"]
    found = json.loads(numbers.read_text("utf-8"))
    assert found["ended"] == "stopped"
    assert found["frames"] == len(frames) > 3
    assert all(frame["age_ms"] > 0 for frame in frames)
    assert {"usable", "size changed"} <= set(found["states"])
    age = found["age_of_shown_contours_ms"]
    assert age is None or age["max"] <= 200.0  # two periods of a slow source
    assert "shown.mp4" in {path.name for path in (tmp_path / "out").iterdir()}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--model", "no_such"], "the model 'no_such'"),
        (["--engine", "no_such"], "the engine 'no_such'"),
        (["--rate", "10", "--window"], "no screen"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_left(
    folder: Path, tmp_path: Path, words: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    done = run(folder, "--out", tmp_path / "out", *words)
    assert done.exit_code == 1
    assert said in " ".join(done.output.split())
    assert not list((tmp_path / "out").glob("**/*.png"))


def test_a_record_that_is_there_is_not_written_over(folder: Path, tmp_path: Path, quick: list[str]) -> None:
    assert run(folder, *quick, "--out", tmp_path).exit_code == 0
    before = (tmp_path / FILE).read_bytes()
    again = run(folder, *quick, "--out", tmp_path)
    assert again.exit_code == 1
    assert "there already" in again.output
    assert (tmp_path / FILE).read_bytes() == before


def test_the_femur_of_pluslib_is_found_frame_by_frame(shared_data: Path, tmp_path: Path) -> None:
    recording = shared_data / "tracking/pluslib/TestImages/BoneUltrasound_L14.igs.mha"
    done = run(recording, "--model", "bone", "--every-frame", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    _, *frames = lines(tmp_path / "out")
    assert len(frames) == 21
    with_bone = [frame for frame in frames if frame["contours"]]
    assert len(with_bone) >= 18
    times = np.array([frame["capture_ns"] for frame in frames])
    assert (np.diff(times) > 0).all()
