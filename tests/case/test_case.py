"""The case: all or nothing, every artefact accounted for, staleness visible, decisions by people only."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import trimesh

from case.atomic import atomic_path, atomic_write, file_sha256
from case.case import Case, MadeBy
from case.errors import CaseError, MeshFileError
from geometry import Surface, Volume
from reconstruction import in_case
from reconstruction.ct.read import read_ct
from tests.reconstruction.ct.dicom.dicom_factory import IDENTIFYING, ramp, write_series

TIME = "2026-01-02T03:04:05+00:00"
LATER = "2026-01-02T03:04:06+00:00"
MADE_BY = MadeBy(program="test", version="1", time=TIME, parameters={"threshold": 0.5})
LABELS = Volume(np.arange(60, dtype=np.uint8).reshape(3, 4, 5) % 3, np.diag([0.7, 0.8, 1.5, 1.0]))
GLB, STL = "surfaces/liver.glb", "surfaces/liver.stl"


def ball(name: str = "liver", radius_mm: float = 30.0) -> Surface:
    mesh = trimesh.creation.icosphere(radius=radius_mm)
    return Surface(mesh.vertices, mesh.faces, "ct", name)


@pytest.fixture
def dicom(tmp_path: Path) -> Path:
    write_series(tmp_path / "dicom")
    return tmp_path / "dicom"


@pytest.fixture
def case(tmp_path: Path, dicom: Path) -> Case:
    """CT -> labels -> surface, and a registration made from the surface."""
    with Case.create(tmp_path / "case", "knee", TIME) as case:
        in_case.add_ct_reference(case, read_ct(dicom), dicom, MADE_BY)
        in_case.add_labels(case, LABELS, {0: "outside", 1: "body", 2: "liver"}, MADE_BY)
        case.add_surface(ball(), MADE_BY)
        case.add_markups("landmarks", {"nose": [1.0, 2.0, 3.0]}, MADE_BY)
        case.write_json("registration", "first", {"fre_rms_mm": 0.4}, MADE_BY, (GLB, "markups/landmarks.mrk.json"))
    return case


def test_a_new_case_is_whole_and_readable(case: Case, tmp_path: Path) -> None:
    assert case.root == tmp_path / "case"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case", "dicom"]  # no temporary folder left
    document = json.loads((case.root / "case.json").read_text())
    assert (document["schema_name"], document["schema_version"], document["name"]) == ("surgnav.case", 1, "knee")
    for artefact in document["artefacts"]:
        if not artefact["by_reference"]:
            assert artefact["sha256"] == file_sha256(case.root / artefact["path"])
        assert artefact["made_by"]["parameters"] == {"threshold": 0.5}
    files = {str(path.relative_to(case.root)) for path in case.root.rglob("*") if path.is_file()}
    assert files == {artefact.path for artefact in case.artefacts if not artefact.by_reference} | {"case.json"}
    assert (case.verify(), case.stale()) == ({}, {})


def test_everything_comes_back(case: Case, dicom: Path) -> None:
    case = Case.open(case.root)
    labels, names = in_case.read_labels(case)
    np.testing.assert_array_equal(labels.voxels, LABELS.voxels)
    np.testing.assert_allclose(labels.affine, LABELS.affine, atol=1e-6)
    assert names == {0: "outside", 1: "body", 2: "liver"}
    in_case.add_probability(case, "liver", Volume(np.full((2, 2, 2), 0.4, np.float32), np.eye(4)), MADE_BY)
    np.testing.assert_allclose(in_case.read_probability(case, "liver").voxels, 0.4, atol=1 / 510)
    surface = case.read_surface("liver")
    np.testing.assert_allclose(surface.vertices_mm, ball().vertices_mm, atol=1e-4)
    np.testing.assert_array_equal(case.read_markups("landmarks").points_ct_mm["nose"], [1.0, 2.0, 3.0])
    assert in_case.read_ct(case).content_sha256 == read_ct(dicom).content_sha256
    assert case.artefact(GLB).details["watertight"] is True


def test_a_copied_ct_is_the_same_ct_with_its_verdict_and_no_name(tmp_path: Path, dicom: Path) -> None:
    scan = read_ct(dicom)
    with Case.create(tmp_path / "case", "copy", TIME) as case:
        in_case.add_ct_copy(case, scan, MADE_BY)
    back = in_case.read_ct(case)
    np.testing.assert_array_equal(back.volume.voxels, scan.volume.voxels)
    assert (back.verdict, back.source, back.content_sha256) == (scan.verdict, scan.source, scan.content_sha256)
    text = (case.root / "case.json").read_text().lower()
    assert not [word for word in IDENTIFYING if word in text]


def test_a_referenced_ct_that_changed_is_not_taken_for_the_old_one(case: Case, dicom: Path) -> None:
    write_series(dicom, ramp((12, 8, 10))[::-1])
    with pytest.raises(CaseError, match="other than the one"):
        in_case.read_ct(case)


# ------------------------------------------------------------------------------------------------------- all or nothing


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_no_half_written_case(tmp_path: Path, error: type[BaseException]) -> None:
    def compose() -> None:
        with Case.create(tmp_path / "case", "x", TIME) as case:
            case.write_json("notes", "one", {"a": 1}, MADE_BY)
            raise error

    with pytest.raises(error):
        compose()
    assert not list(tmp_path.iterdir())


def test_a_failed_addition_leaves_the_case_as_it_was(case: Case) -> None:
    before = {path: path.read_bytes() for path in case.root.rglob("*") if path.is_file()}
    empty = Surface(np.zeros((0, 3)), np.zeros((0, 3), np.int32), "ct", "liver")
    with pytest.raises(MeshFileError):
        case.add_surface(empty, MADE_BY)
    with pytest.raises(CaseError, match="no JSON"):
        case.write_json("registration", "first", {"fre_rms_mm": float("nan")}, MADE_BY)
    with pytest.raises(CaseError, match="details"):
        case.add("x", "x/x.json", lambda path: path.write_text("{}"), MADE_BY, details={"bad": np.zeros(2)})
    with pytest.raises(CaseError, match="no artefact 'ghost'"):
        case.write_json("registration", "first", {}, MADE_BY, ("ghost",))
    after = {path: path.read_bytes() for path in case.root.rglob("*") if path.is_file()}
    assert after == before
    assert Case.open(case.root).verify() == {}


def test_atomic_write_keeps_the_old_content_when_the_writer_fails(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic_write(path, b"old")

    def overwrite() -> None:
        with atomic_path(path) as temporary:
            temporary.write_bytes(b"ne")
            raise OSError("disk full")

    with pytest.raises(OSError, match="full"):
        overwrite()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_places_that_are_taken_are_refused(case: Case, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="already"), Case.create(case.root, "again", TIME):
        pass
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "holiday.jpg").write_bytes(b"mine")
    with pytest.raises(CaseError, match="not empty"), Case.create(tmp_path / "full", "x", TIME):
        pass
    assert (tmp_path / "full" / "holiday.jpg").read_bytes() == b"mine"
    (tmp_path / "empty").mkdir()
    with Case.create(tmp_path / "empty", "x", TIME):
        pass
    assert Case.open(tmp_path / "empty").name == "x"


def test_a_place_taken_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    def compose() -> None:
        with Case.create(tmp_path / "case", "x", TIME):
            (tmp_path / "case").mkdir()
            (tmp_path / "case" / "theirs").write_bytes(b"theirs")

    with pytest.raises(CaseError, match="not empty"):
        compose()
    assert [path.name for path in tmp_path.iterdir()] == ["case"]
    assert (tmp_path / "case" / "theirs").read_bytes() == b"theirs"


def test_two_writers_do_not_overwrite_each_other(case: Case) -> None:
    mine, theirs = Case.open(case.root), Case.open(case.root)
    theirs.write_json("notes", "theirs", {}, MADE_BY)
    with pytest.raises(CaseError, match="somebody else"):
        mine.write_json("notes", "mine", {}, MADE_BY)
    assert not (case.root / "notes/mine.json").exists()
    assert Case.open(case.root).artefact("notes/theirs.json")


# ------------------------------------------------------------------------------------------- staleness and verification


def test_what_was_altered_or_lost_is_found(case: Case) -> None:
    (case.root / GLB).write_bytes(b"something else")
    (case.root / STL).unlink()
    assert case.verify() == {GLB: "altered", STL: "missing"}


def test_a_changed_ct_makes_everything_downstream_stale(case: Case, tmp_path: Path) -> None:
    other = ramp((12, 8, 10))
    other[3, 3, 3] += 1
    write_series(tmp_path / "other", other)
    in_case.add_ct_reference(case, read_ct(tmp_path / "other"), tmp_path / "other", MADE_BY)
    stale = Case.open(case.root).stale()
    assert stale["labels/labels.nii.gz"] == "ct changed since"
    assert stale[GLB] == "labels/labels.nii.gz is stale"
    assert set(stale) == {artefact.id for artefact in case.artefacts} - {"ct"}


def test_a_file_changed_behind_the_manifest_makes_what_follows_stale(case: Case) -> None:
    (case.root / "markups/landmarks.mrk.json").write_text("{}")
    assert case.stale() == {"registration/first.json": "markups/landmarks.mrk.json changed since"}


def test_making_it_again_makes_it_fresh(case: Case) -> None:
    in_case.add_labels(case, Volume(LABELS.voxels[::-1], LABELS.affine), {0: "outside"}, MADE_BY)
    assert set(case.stale()) == {GLB, STL, "registration/first.json"}
    case.add_surface(ball(radius_mm=31.0), MADE_BY)
    assert set(case.stale()) == {"registration/first.json"}
    assert len([artefact for artefact in case.artefacts if artefact.id == GLB]) == 1


def test_an_edit_that_somebody_accepts_is_recorded_as_theirs(case: Case) -> None:
    path = case.root / "labels/labels.nii.gz"
    path.write_bytes(path.read_bytes() + b"\0")
    by_hand = MadeBy(program="person", version="-", time=LATER, parameters={"with": "3D Slicer"})
    case.accept_edit("labels/labels.nii.gz", by_hand)
    assert case.verify() == {}
    assert GLB in case.stale()
    assert case.artefact("labels/labels.nii.gz").made_by == by_hand
    with pytest.raises(CaseError, match="no file of this case"):
        case.accept_edit("ct", by_hand)


# ------------------------------------------------------------------------------------------------------------ decisions


def test_nothing_is_approved_until_a_person_says_so(case: Case) -> None:
    assert (case.structures(), case.state("liver"), case.approved_surfaces()) == (("liver",), "suggested", ())
    case.decide("liver", "approved", "Dr Panza", LATER)
    case = Case.open(case.root)
    assert [surface.id for surface in case.approved_surfaces()] == [GLB]
    (decision,) = case.decisions
    assert (decision.person, decision.time, decision.surface_sha256) == ("Dr Panza", LATER, case.artefact(GLB).sha256)
    case.decide("liver", "rejected", "Dr Panza", LATER)
    assert (case.state("liver"), case.approved_surfaces()) == ("rejected", ())
    assert [decision.state for decision in case.decisions] == ["approved", "rejected"]


def test_a_new_surface_is_a_suggestion_again(case: Case) -> None:
    case.decide("liver", "edited", "Dr Panza", LATER)
    assert case.approved_surfaces()
    case.add_surface(ball(radius_mm=31.0), MADE_BY)
    assert (case.state("liver"), case.approved_surfaces()) == ("suggested", ())


def test_stale_or_altered_surfaces_are_neither_shown_nor_approved(case: Case) -> None:
    case.decide("liver", "approved", "Dr Panza", LATER)
    in_case.add_labels(case, Volume(LABELS.voxels[::-1], LABELS.affine), {0: "outside"}, MADE_BY)
    assert case.approved_surfaces() == ()
    with pytest.raises(CaseError, match=r"cannot be approved: labels/labels.nii.gz changed since"):
        case.decide("liver", "approved", "Dr Panza", LATER)
    case.decide("liver", "rejected", "Dr Panza", LATER)


def test_an_altered_surface_is_not_shown(case: Case) -> None:
    case.decide("liver", "approved", "Dr Panza", LATER)
    (case.root / GLB).write_bytes(b"something else")
    assert case.approved_surfaces() == ()


@pytest.mark.parametrize(
    ("structure", "state", "person", "time", "words"),
    [
        ("spleen", "approved", "Dr Panza", TIME, "the structure 'spleen', which has no surface"),
        ("liver", "perfect", "Dr Panza", TIME, "state"),
        ("liver", "approved", "", TIME, "person"),
        ("liver", "approved", "Dr Panza", "2026-01-02T03:04:05", "without a time zone"),
        ("liver", "approved", "Dr Panza", "yesterday", "time"),
    ],
)
def test_decisions_need_a_structure_a_state_a_person_and_a_time(
    case: Case, structure: str, state: str, person: str, time: str, words: str
) -> None:
    with pytest.raises(CaseError, match=words):
        case.decide(structure, state, person, time)
    assert case.decisions == ()


# -------------------------------------------------------------------------------------------------------- bad manifests


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda text: text.replace('"schema_version": 1', '"schema_version": 2'),
        lambda text: text.replace('"path": "surfaces/liver.glb"', '"path": "../../etc/passwd"'),
        lambda text: text.replace('"name": "knee"', '"nom": "knee"'),
    ],
    ids=["cut short", "newer version", "path that leads out", "unknown field"],
)
def test_a_manifest_that_does_not_hold_together_is_refused(case: Case, damage: object) -> None:
    path = case.root / "case.json"
    path.write_text(damage(path.read_text()))
    with pytest.raises(CaseError, match="does not hold together"):
        Case.open(case.root)


def test_no_case_and_names_that_lead_out_are_refused(case: Case, tmp_path: Path) -> None:
    with pytest.raises(CaseError, match="no case"):
        Case.open(tmp_path)
    with pytest.raises(CaseError, match="name"):
        case.write_json("registration", "../first", {}, MADE_BY)
    with pytest.raises(CaseError, match="path"):
        case.add("x", "../x.json", lambda path: path.write_text("{}"), MADE_BY)
    with pytest.raises(CaseError, match="time"), Case.create(tmp_path / "new", "x", "now"):
        pass


def test_registrations_have_a_history_and_the_last_one_accepted_is_in_force(case: Case) -> None:
    case.write_json("registration", "second", {"fre_rms_mm": 0.5}, MADE_BY, (GLB,))
    assert case.active_registration() is None
    for registration, step in (("first", "accepted"), ("second", "computed"), ("second", "accepted")):
        case.record_registration(registration, step, ("accept", ()), "Dr Test", TIME)
    case.record_registration("first", "returned", ("check", ["no targets"]), "Dr Other", LATER)
    case = Case.open(case.root)
    active = case.active_registration()
    assert (active.registration, active.person, active.reasons) == ("first", "Dr Other", ("no targets",))
    assert [event.step for event in case.manifest.registration_events] == [
        "accepted",
        "computed",
        "accepted",
        "returned",
    ]
    case.record_registration("first", "withdrawn", ("check", ()), "Dr Other", LATER)
    assert case.active_registration() is None


@pytest.mark.parametrize(
    ("registration", "level", "person", "time", "said"),
    [
        ("third", "accept", "Dr Test", TIME, "no artefact"),
        ("first", "refuse", "Dr Test", TIME, "it was refused"),
        ("first", "perhaps", "Dr Test", TIME, "level"),
        ("first", "accept", " ", TIME, "person"),
        ("first", "accept", "Dr Test", "yesterday", "time"),
    ],
)
def test_a_registration_that_nobody_may_use_is_not_put_in_force(
    case: Case, registration: str, level: str, person: str, time: str, said: str
) -> None:
    with pytest.raises(CaseError, match=said):
        case.record_registration(registration, "accepted", (level, ()), person, time)
    assert case.active_registration() is None


def test_a_registration_on_a_surface_that_changed_is_not_put_in_force(case: Case) -> None:
    case.add_surface(ball(radius_mm=31.0), MADE_BY)
    with pytest.raises(CaseError, match="changed since"):
        case.record_registration("first", "accepted", ("accept", ()), "Dr Test", TIME)


def test_a_registration_on_a_surface_that_somebody_rejected_is_not_put_in_force(case: Case) -> None:
    case.decide("liver", "rejected", "Dr Other", TIME)
    assert case.registration_problem("first") == "the surface 'liver' that it rests on was rejected by Dr Other"
    with pytest.raises(CaseError, match="rejected by Dr Other"):
        case.record_registration("first", "accepted", ("accept", ()), "Dr Test", TIME)
    case.decide("liver", "approved", "Dr Test", LATER)
    assert case.registration_problem("first") is None


def test_a_file_that_goes_while_the_case_is_looked_at_is_missing_and_no_error(case: Case) -> None:
    """As a look once a second meets it: each file may be there for one question and gone for the next."""

    def gone(path: Path) -> str:
        raise FileNotFoundError(path)

    case = Case.open(case.root, gone)
    assert case.verify()[GLB] == "unreadable"
    (case.root / GLB).unlink()
    assert case.verify()[GLB] == "missing"
    assert "changed since" in case.stale()["registration/first.json"]
    (case.root / "case.json").unlink()
    with pytest.raises(CaseError, match="somebody else has changed"):
        case.decide("liver", "rejected", "Dr Test", TIME)
