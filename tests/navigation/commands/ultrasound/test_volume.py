"""``surgnav ultrasound volume``: a ball that was swept is a ball in the file that other programs read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner, Result

from case.case import Case
from geometry.volume import Volume
from navigation.cli import app
from reconstruction.surfaces.extract import SurfaceSettings, extract_surface
from registration.record.in_force import in_force, put_in_force
from tests.calibration.ultrasound_probe.targets.recorded import write_sequence
from tests.navigation.commands.ultrasound.results import room, spatial, temporal
from tests.reconstruction.freehand.sweeps import BALL_CENTRE_MM, BALL_RADIUS_MM, image_map, sweep
from tests.registration.record import harness as driven

case = driven.case

PIXEL_MM = (0.4, 0.6)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """The ball as PLUS records it: a probe and a reference that both move, and PLUS's configuration beside it."""
    swept = sweep("linear", "fan", PIXEL_MM)
    px = image_map(swept.mask.shape, PIXEL_MM)
    (tmp_path / "plus.xml").write_text(
        f'<PlusConfiguration><Transform From="Image" To="Probe" Matrix="{" ".join(map(str, px.ravel()))}" />'
        "</PlusConfiguration>"
    )
    reference = np.tile(np.eye(4), (len(swept.frames), 1, 1))
    reference[:, :3, 3] = [50.0, -20.0, 900.0] + np.random.default_rng(1).uniform(-20, 20, (len(swept.frames), 3))
    probe = reference @ swept.T_reference_image_px @ np.linalg.inv(px)
    tools = {"ProbeToTracker": probe, "ReferenceToTracker": reference}
    return write_sequence(tmp_path / "ball.igs.mha", swept.frames, tools)


def run(recorded: Path, *words: object) -> Result:
    asked = [recorded, "--spacing", "1", *words]
    return CliRunner().invoke(app, ["ultrasound", "volume", *map(str, asked)], env={"COLUMNS": "300"})


def read(path: Path, frame: str = "reference") -> Volume:
    image = sitk.ReadImage(str(path))
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * image.GetSpacing()
    affine[:3, 3] = image.GetOrigin()
    return Volume(sitk.GetArrayFromImage(image), affine, frame)


@pytest.mark.parametrize("suffix", ["nrrd", "mha", "nii.gz"])
def test_another_program_finds_the_ball_in_its_place(recorded, tmp_path, suffix):
    out = tmp_path / "out" / f"ball.{suffix}"
    done = run(recorded, "--probe-map", tmp_path / "plus.xml", "--out", out, "--level", 120, "--name", "ball")
    assert done.exit_code == 0, done.output
    volume = read(out)
    vertices_mm = extract_surface(volume, "ball", SurfaceSettings(level=119.5)).surface.vertices_mm
    assert np.linalg.norm(vertices_mm.mean(axis=0) - BALL_CENTRE_MM) < 0.3
    assert abs(np.median(np.linalg.norm(vertices_mm - BALL_CENTRE_MM, axis=1)) - BALL_RADIUS_MM) < 0.25
    report = json.loads((tmp_path / "out" / "ball.json").read_text("utf-8"))
    assert report["frame"] == "reference"
    assert report["frames"] == 57
    assert report["voxels_gap"] == 0
    assert report["surfaces_ml"]["ball"] == pytest.approx(4 / 3 * np.pi * BALL_RADIUS_MM**3 / 1000, rel=0.03)
    assert "100.00 % covered" in done.output
    for name in ("ball.png", "ball_ball.stl"):
        assert (tmp_path / "out" / name).stat().st_size > 1000


def test_only_the_pixels_of_the_crop_are_used(recorded, tmp_path):
    out = tmp_path / "crop.mha"
    assert run(recorded, "--probe-map", tmp_path / "plus.xml", "--out", out, "--crop", 0, 0, 73, 10).exit_code == 0
    distances = np.linalg.norm(
        read(out).index_to_mm(np.argwhere(read(out).voxels > 0)[:, ::-1]) - BALL_CENTRE_MM, axis=1
    )
    assert distances.min() > 10.0  # rows 0 to 9 lie 16.4 mm and more above the ball's centre, before the fan turns them


def test_frames_are_placed_by_the_calibrations_of_the_room_at_the_instant_that_they_show(tmp_path):
    size_px, count = (30, 40), 12
    images = np.full((count, 40, 30), 90, np.uint8)
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 2, 3] = np.arange(count)
    path = write_sequence(
        tmp_path / "a.igs.mha", images, {"ProbeToTracker": poses, "ReferenceToTracker": poses * 0 + np.eye(4)}
    )
    out = tmp_path / "room.nrrd"
    asked = ["--room", room(tmp_path, spatial(size_px), temporal()), "--out", out]
    done = run(path, *asked)
    assert done.exit_code == 0, done.output
    assert "2 frames left out: no pose of probe at the time that the image shows" in done.output
    assert json.loads((tmp_path / "room.json").read_text("utf-8"))["frames"] == count - 2


def test_with_a_case_the_volume_lies_in_its_ct_and_the_surface_is_suggested(recorded, tmp_path, case):
    attempt, _ = driven.made(case)
    words = ["--probe-map", tmp_path / "plus.xml", "--out", tmp_path / "in_ct.nrrd", "--level", 120]
    words += ["--case", case.root, "--name", "cyst"]
    assert "without a registration in force" in " ".join(run(recorded, *words).output.split())
    put_in_force(case, attempt, "Dr Test", driven.TIME, consent=False)
    T_ct_reference = in_force(case).T_reference_ct.inverse()
    done = run(recorded, *words)
    assert done.exit_code == 0, done.output
    again = Case.open(case.root)
    surface = again.read_surface("cyst")
    assert surface.frame == "ct"
    centre_ct_mm = T_ct_reference.apply(BALL_CENTRE_MM)
    assert np.linalg.norm(surface.vertices_mm.mean(axis=0) - centre_ct_mm) < 0.3
    assert again.state("cyst") == "suggested"
    assert not again.stale()
    np.testing.assert_allclose(
        read(again.path_of("ultrasound/volume.nii.gz")).affine, read(tmp_path / "in_ct.nrrd").affine, atol=1e-4
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "a.nrrd"], "neither --room nor --probe-map"),
        (["--out", "a.stl", "--probe-map", "plus.xml"], "the file a.stl"),
        (["--out", "a.nrrd", "--probe-map", "plus.xml", "--crop", "0", "0", "500", "5"], "a crop of 500 x 5"),
        (["--out", "a.nrrd", "--probe-map", "plus.xml", "--spacing", "0.05"], "million voxels"),
        (["--out", "a.nrrd", "--probe-map", "missing.xml"], "missing.xml"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(recorded, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    done = run(recorded, *words)
    assert done.exit_code == 1
    assert said in " ".join(done.output.split())
    assert sorted(tmp_path.iterdir()) == before
