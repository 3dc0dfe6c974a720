"""``surgnav ultrasound run`` and ``volume`` without a recording: a scanner's images, placed by the room's tracker."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner, Result

from navigation.cli import app
from navigation.clock import NS_PER_S
from navigation.ultrasound.record import FILE
from tests.navigation.commands.ultrasound.scanner_room import room
from tests.navigation.ultrasound.live.scanner import COLUMNS_MM, PIXEL_MM, SIZE_PX, Scanner, film, pose
from unity_bridge.wire.envelope import Validity

CORNERS_PX = np.array([[0, 0, 0, 1], [159, 0, 0, 1], [0, 159, 0, 1], [159, 159, 0, 1]]).T


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def run(*words: object, command: str = "run") -> Result:
    return CliRunner().invoke(app, ["ultrasound", command, *map(str, words)], env={"COLUMNS": "300"})


def true_corners_mm(t_s: float) -> np.ndarray:
    plane = np.eye(4)
    plane[:3, :2], plane[:3, 3] = COLUMNS_MM[:, :2], COLUMNS_MM[:, 2]
    return (pose(t_s).matrix @ plane @ CORNERS_PX)[:3]


def test_a_scanner_is_recorded_as_it_comes_and_placed_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with closing(Scanner(film())) as scanner:
        asked = ("--room", room(tmp_path, scanner.port), "--no-window", "--seconds", 6, "--out", out)
        done = run(*asked, "--json", tmp_path / "numbers.json")
    assert done.exit_code == 0, done.output
    assert "probe: calibrated 2026-11-20" in done.output
    head, *frames = [json.loads(line) for line in (out / FILE).read_text("utf-8").splitlines()]
    assert (head["live"], head["source"]) == (True, "plus of or")
    assert head["probe"]["to_frame"] == "reference"
    assert "bone" in head["model"], "the room's"
    assert all(frame["capture_ns"] is not None and frame["size_px"] == list(SIZE_PX) for frame in frames)
    placed = [frame["placed"] for frame in frames if frame.get("placed") and not frame["placed"]["reason"]]
    assert len(placed) > 20, frames
    numbers = json.loads((tmp_path / "numbers.json").read_text("utf-8"))
    assert numbers["frames_placed"] == len(placed)
    assert numbers["frames"] == len(frames)
    off_mm = [
        np.abs((np.array(each["image_px_to_mm"]) @ CORNERS_PX)[:3] - true_corners_mm(each["image_shows_ns"] / NS_PER_S))
        for each in placed
    ]
    # The stamps of sender and tracker are of one clock; on a busy machine the poses between are 20 ms apart.
    assert np.median(off_mm) < PIXEL_MM
    assert (out / "shown.mp4").stat().st_size > 0


def test_a_probe_out_of_sight_leaves_contours_in_pixels_with_the_reason(tmp_path: Path) -> None:
    with closing(Scanner(film(), f"ipc://{tmp_path}/mirror")) as scanner:  # images alone come over OpenIGTLink
        scanner.probe = (Validity.LOST, "occluded")
        done = run("--room", room(tmp_path, scanner.port), "--no-window", "--seconds", 3, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    _, *frames = [json.loads(line) for line in (tmp_path / "out" / FILE).read_text("utf-8").splitlines()]
    usable = [frame for frame in frames if frame["state"] == "usable"]
    assert usable
    assert all("no pose of probe at the time that the image shows" in frame["placed"]["reason"] for frame in usable)


def test_what_makes_no_sense_live_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    file = room(tmp_path, 1)
    for words, why in (
        ((), "neither a recording nor --room"),
        (("--room", file, "--loop", "--every-frame"), "--every-frame, --loop without a recording"),
        (("--room", room(tmp_path / "other", 1, image="")), "with no sources of ultrasound among plus"),
    ):
        refused = run(*words, "--out", tmp_path / "out")
        assert refused.exit_code == 1
        assert why in " ".join(refused.output.split())
    assert not (tmp_path / "out").exists()


def test_a_sweep_is_compounded_where_the_vessel_is(tmp_path: Path) -> None:
    out = tmp_path / "vessel.nrrd"
    with closing(Scanner(film())) as scanner:
        asked = ("--room", room(tmp_path, scanner.port), "--seconds", 6, "--out", out, "--spacing", 0.5, "--level", 90)
        done = run(*asked, command="volume")
    assert done.exit_code == 0, done.output
    report = json.loads((tmp_path / "vessel.json").read_text("utf-8"))
    assert (report["source"], report["frame"]) == ("live", "reference")
    assert report["frames"] > 20
    image = sitk.ReadImage(str(out))
    grey = sitk.GetArrayFromImage(image).astype(float)
    k, j, i = np.nonzero(grey)
    x, _, z = (image.GetOrigin()[axis] + 0.5 * index for axis, index in enumerate((i, j, k)))
    # The film shows blood within 4 mm of a line along y, in muscle.
    away_mm = np.hypot(x - 3.0, z - 25.0)
    inside, around = (grey[k, j, i][where].mean() for where in (away_mm < 3.0, (away_mm > 5.5) & (away_mm < 8.0)))
    assert inside < 0.6 * around
    assert (tmp_path / "vessel_ultrasound.stl").exists()
    assert (tmp_path / "vessel.png").exists()


def test_a_live_sweep_that_cannot_be_is_refused(tmp_path: Path) -> None:
    file, out = room(tmp_path, 1), tmp_path / "vessel.nrrd"
    for words, why in (
        (("--out", out), "neither a recording nor --room"),
        (("--out", out, "--probe-map", tmp_path / "plus.xml"), "no recording, and --probe-map"),
        ((tmp_path / "a.igs.mha", "--room", file, "--out", out, "--seconds", 1), "--seconds with a recording"),
        (("--room", file, "--out", out, "--seconds", 1), "live images of plus, of which none could be placed"),
    ):
        refused = run(*words, command="volume")
        assert refused.exit_code == 1
        assert why in " ".join(refused.output.split())
    assert not out.exists()
