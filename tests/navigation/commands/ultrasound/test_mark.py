"""``surgnav ultrasound mark``: findings of recordings lie where they lie, in the CT by the case's registration."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from case.case import Case
from case.findings.finding import Finding
from case.findings.kept import findings
from navigation.cli import app
from navigation.clock import VirtualClock
from navigation.devices.ultrasound import mcap
from navigation.recorder.tap import Kind, Tapped
from navigation.recorder.translate import Translator
from navigation.recorder.writing import RecordingWriter
from navigation.ultrasound.live.frame_tap import packed_ultrasound
from registration.record.in_force import in_force, put_in_force
from tests.calibration.ultrasound_probe.targets.recorded import write_sequence
from tests.navigation.commands.ultrasound.results import COLUMNS_MM, room, spatial, temporal
from tests.navigation.ultrasound.live.probes import MS, pose_at
from tests.navigation.ultrasound.live.vessels import SHOWS_NS, placed
from tests.reconstruction.freehand.sweeps import BALL_CENTRE_MM, image_map, sweep
from tests.registration.record import harness as driven

case = driven.case
EPOCH_NS = 1_000_000_000_000
PIXEL_MM = (0.4, 0.6)


def mark(*words: object) -> Result:
    return CliRunner().invoke(app, ["ultrasound", "mark", *map(str, words)], env={"COLUMNS": "300"})


def found(case: Case) -> list[Finding]:
    return [each for _, each in findings(Case.open(case.root)) if isinstance(each, Finding)]


@pytest.fixture
def recording(case: Case, tmp_path: Path) -> Path:
    """Image 3 was placed in the CT, image 4 in the reference, image 5 not at all."""
    attempt, _ = driven.made(case)
    put_in_force(case, attempt, "Dr Test", driven.TIME, consent=False)
    in_ct, in_reference = placed(), placed(registered=False)
    frames = [
        replace(in_ct, T_ct_reference=in_force(case).T_reference_ct.inverse()),
        in_reference,
        replace(in_reference, validity=in_reference.validity.LOST, reason="no pose", T_reference_probe=None),
    ]
    clock = VirtualClock(1_000 * MS)
    with closing(RecordingWriter(tmp_path, "r", Translator({}, EPOCH_NS), clock, EPOCH_NS)) as writer:
        writer.tick()
        for number, frame in enumerate(frames):
            clock.advance_ns(33 * MS)
            shown = replace(frame, result=replace(frame.result, sequence=number + 3))
            data = packed_ultrasound(shown)
            writer.take(Tapped(Kind.ULTRASOUND, "ultrasound", mcap.FRAMES, number + 1, 0, clock.now_ns(), data))
            writer.tick()
    return tmp_path / "r.mcap"


def test_what_was_recorded_in_the_ct_lies_there_by_the_cases_registration(case: Case, recording: Path) -> None:
    first = mcap.McapImages(recording).sequences[0]
    common = ("--case", case.root, "--person", "Dr Test")
    done = mark(recording, *common, "--image", first, "--pixel", 40, 45, "--structure", "lesion")
    assert done.exit_code == 0, done.output
    assert mark(recording, *common, "--image", first).exit_code == 0
    point, contour = found(case)
    T_ct_reference = in_force(Case.open(case.root)).T_reference_ct.inverse()
    by_hand = T_ct_reference.apply(pose_at(SHOWS_NS).apply(np.array([[0.1 * 40 - 20, 0.12 * 45 + 80, 15.0]])))
    np.testing.assert_allclose(point.points_mm, by_hand, atol=1e-3)
    assert (point.name, point.shape, point.in_frame, point.registration) == ("lesion-1", "point", "ct", "r-0001")
    assert (contour.name, contour.shape, len(contour.points_mm), contour.closed) == ("vessel-1", "contour", 4, True)
    assert contour.p95_mm == pytest.approx(placed().expected_p95_mm)
    assert contour.marked_in.images == "r.mcap"


def test_what_was_recorded_in_the_reference_stays_there(case: Case, recording: Path) -> None:
    first = mcap.McapImages(recording).sequences[0]
    done = mark(recording, "--case", case.root, "--person", "Dr Test", "--image", first + 1)
    assert done.exit_code == 0, done.output
    assert "no place in the CT" in done.output
    (finding,) = found(case)
    corner = pose_at(SHOWS_NS).apply(np.array([[-18.0, 83.6, 15.0]]))[0]
    np.testing.assert_allclose(finding.points_mm[0], corner, atol=1e-3)
    assert (finding.in_frame, finding.registration) == ("reference", "")


def test_by_a_registration_that_the_case_has_not_it_lies_in_the_reference(recording: Path, tmp_path: Path) -> None:
    with Case.create(tmp_path / "other", "other", driven.TIME) as other:
        pass
    first = mcap.McapImages(recording).sequences[0]
    assert mark(recording, "--case", tmp_path / "other", "--person", "Dr Test", "--image", first).exit_code == 0
    (finding,) = found(other)
    corner = pose_at(SHOWS_NS).apply(np.array([[-18.0, 83.6, 15.0]]))[0]
    np.testing.assert_allclose(finding.points_mm[0], corner, atol=1e-3)
    assert (finding.in_frame, finding.p95_mm) == ("reference", None)


def test_what_cannot_be_marked_is_refused_and_nothing_is_kept(case: Case, recording: Path) -> None:
    first = mcap.McapImages(recording).sequences[0]
    common = (recording, "--case", case.root, "--person", "Dr Test")
    for words, said in (
        ((), "the number of the image"),
        (("--image", first + 2), "it is lost: no pose"),
        (("--image", 99), "image 99, which is not there"),
        (("--image", first, "--structure", "nerve"), "has no such contour"),
        (("--image", first, "--pixel", 300, 10), "the pixel 300, 10 of an image of 300 x 400 px"),
        (("--level", 120), "--level with r.mcap"),
        (("--image", first, "--model", "bone"), "leave them out"),
    ):
        refused = mark(*common, *words)
        assert refused.exit_code == 1
        assert said in " ".join(refused.output.split())
    assert found(case) == []


def test_a_pixel_of_a_recording_of_plus_lies_where_the_probe_was(case: Case, tmp_path: Path) -> None:
    size_px, count = (30, 40), 12
    poses = np.tile(np.eye(4), (count, 1, 1))
    poses[:, 2, 3] = np.arange(count)
    tools = {"ProbeToTracker": poses, "ReferenceToTracker": poses * 0 + np.eye(4)}
    path = write_sequence(tmp_path / "a.igs.mha", np.full((count, 40, 30), 90, np.uint8), tools)
    words = ("--case", case.root, "--person", "Dr Test", "--image", 7, "--pixel", 10, 20)
    assert "pass --room" in mark(path, *words).output
    assert mark(path, *words, "--room", room(tmp_path, spatial(size_px), temporal())).exit_code == 0
    (finding,) = found(case)
    assert (finding.in_frame, finding.p95_mm, finding.marked_in.image) == ("reference", None, 7)
    in_probe = COLUMNS_MM @ [10.0, 20.0, 1.0]
    # At another instant than that which is shown, z would be that of another pose: they are 1 mm apart.
    np.testing.assert_allclose(finding.points_mm[0][:2], in_probe[:2], atol=1e-6)
    assert 0.5 < abs(finding.points_mm[0][2] - in_probe[2] - 7.0) < 7.0


def test_a_volume_is_a_structure_to_review_in_the_ct_and_in_the_reference_none(case: Case, tmp_path: Path) -> None:
    swept = sweep("linear", "fan", PIXEL_MM)
    px = image_map(swept.mask.shape, PIXEL_MM)
    matrix = " ".join(map(str, px.ravel()))
    (tmp_path / "plus.xml").write_text(
        f'<PlusConfiguration><Transform From="Image" To="Probe" Matrix="{matrix}" /></PlusConfiguration>'
    )
    probe, reference = swept.T_reference_image_px @ np.linalg.inv(px), np.tile(np.eye(4), (len(swept.frames), 1, 1))
    tools = {"ProbeToTracker": probe, "ReferenceToTracker": reference}
    path = write_sequence(tmp_path / "ball.igs.mha", swept.frames, tools)
    made = ("ultrasound", "volume", path, "--spacing", 1, "--probe-map", tmp_path / "plus.xml", "--out")
    assert CliRunner().invoke(app, [*map(str, made), str(tmp_path / "free.nrrd")]).exit_code == 0
    words = ("--case", case.root, "--person", "Dr Test", "--level", 120, "--structure", "cyst")
    assert mark(tmp_path / "free.nrrd", *words).exit_code == 0
    (free,) = found(case)
    assert (free.in_frame, free.surface, case.structures()) == ("reference", "findings/cyst-1.stl", ("organ",))
    assert np.linalg.norm(free.middle_mm - BALL_CENTRE_MM) < 0.3
    now = Case.open(case.root)
    attempt, _ = driven.made(now)
    put_in_force(now, attempt, "Dr Test", driven.TIME, consent=False)
    placed_words = [*map(str, made), str(tmp_path / "in_ct.nrrd"), "--case", str(case.root)]
    assert CliRunner().invoke(app, placed_words).exit_code == 0
    assert "is not the case's own" in " ".join(mark(tmp_path / "in_ct.nrrd", *words).output.split())
    done = mark(case.root / "ultrasound" / "volume.nii.gz", *words)
    assert done.exit_code == 0, done.output
    again = Case.open(case.root)
    _, in_ct = found(again)
    assert (in_ct.in_frame, in_ct.registration, again.state("cyst-2")) == ("ct", attempt.id, "suggested")
    centre_ct = in_force(again).T_reference_ct.inverse().apply(BALL_CENTRE_MM)
    assert np.linalg.norm(in_ct.middle_mm - centre_ct) < 0.3
    assert again.stale() == again.verify() == {}
