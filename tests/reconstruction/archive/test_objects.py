"""DICOM objects of a case: read back by others, in every orientation, judged by dciodvfy, and only what may leave."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import highdicom
import numpy as np
import pytest
from pydicom import dcmread

from case.case import Case
from reconstruction import in_case
from reconstruction.archive.case_objects import ArchiveObject, make_objects
from reconstruction.archive.errors import ArchiveError
from reconstruction.labels.dicom_seg import read_dicom_seg
from tests.reconstruction.archive.made_case import PERSON, TIME, make_case
from tests.reconstruction.ct.dicom.dicom_factory import PATIENT

KINDS = "Segmentation", "LabelMapSegmentation", "Comprehensive3DSR", "EncapsulatedSTL"
DCIODVFY = Path(sys.executable).parent / "dciodvfy"


def written(case: Case, folder: Path, kind: str = "BINARY", **settings: bool) -> dict[str, Path]:
    folder.mkdir(exist_ok=True)
    paths = {}
    for each in make_objects(case, kind, **settings):
        paths[each.name] = folder / f"{each.name}.dcm"
        each.dataset.save_as(paths[each.name], enforce_file_format=True)
    return paths


def complaints(path: Path) -> list[str]:
    said = subprocess.run([DCIODVFY, path], capture_output=True, text=True, check=False)
    lines = (said.stdout + said.stderr).splitlines()
    assert any(
        line in ("Segmentation", "LabelMapSegmentation", "Comprehensive3DSR", "EncapsulatedSTL") for line in lines
    )
    return [line for line in lines if line.startswith("Error")]


def points_of(dataset: object, segment: int) -> np.ndarray:
    """Centres in mm of the voxels of a segment, by the definition of DICOM (PS3.3 C.7.6.2.1.1), from a binary SEG."""
    shared, found = dataset.SharedFunctionalGroupsSequence[0], []
    row, column = np.reshape([float(x) for x in shared.PlaneOrientationSequence[0].ImageOrientationPatient], (2, 3))
    between_rows, between_columns = (float(x) for x in shared.PixelMeasuresSequence[0].PixelSpacing)
    for pixels, groups in zip(dataset.pixel_array, dataset.PerFrameFunctionalGroupsSequence, strict=True):
        if groups.SegmentIdentificationSequence[0].ReferencedSegmentNumber != segment:
            continue
        first = np.array([float(x) for x in groups.PlanePositionSequence[0].ImagePositionPatient])
        j, i = np.nonzero(pixels)
        found.append(first + np.outer(i * between_columns, row) + np.outer(j * between_rows, column))
    return np.concatenate(found)


def in_order(points: np.ndarray) -> np.ndarray:
    rounded = points.round(4)
    return points[np.lexsort(rounded.T)]


def truth(case: Case, value: int) -> np.ndarray:
    volume, _ = in_case.read_labels(case)
    return volume.index_to_mm(np.argwhere(volume.voxels == value)[:, ::-1])


@pytest.mark.parametrize("flips", list(itertools.product((1.0, -1.0), repeat=3)))
def test_every_orientation_is_the_same_place_in_the_patient(tmp_path: Path, flips: tuple[float, ...]) -> None:
    case = make_case(tmp_path, rotation=np.diag(flips))
    path = written(case, tmp_path / "out")["segmentation_1"]
    dataset, by_highdicom = dcmread(path), highdicom.seg.segread(path)
    assert [s.SegmentLabel for s in dataset.SegmentSequence] == ["liver", "kidney_left"]
    for segment, value in ((1, 1), (2, 2)):
        expected = in_order(truth(case, value))
        np.testing.assert_allclose(in_order(points_of(dataset, segment)), expected, atol=1e-5)
        volume = by_highdicom.get_volume(segment_numbers=[segment], combine_segments=True)
        indices = np.argwhere(volume.array == segment)
        np.testing.assert_allclose(in_order(volume.map_indices_to_reference(indices)), expected, atol=1e-5)
        ours = read_dicom_seg(path)
        layer = ours.layers[ours.segments[segment - 1].layer]
        found = layer.index_to_mm(np.argwhere(layer.voxels == ours.segments[segment - 1].value)[:, ::-1])
        np.testing.assert_allclose(in_order(found), expected, atol=1e-5)


def test_a_label_map_holds_the_same_voxels(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    path = written(case, tmp_path / "out", "LABELMAP")["segmentation_1"]
    assert complaints(path) == []
    (layer,) = read_dicom_seg(path).layers
    for number in (1, 2):
        found = layer.index_to_mm(np.argwhere(layer.voxels == number)[:, ::-1])
        np.testing.assert_allclose(in_order(found), in_order(truth(case, number)), atol=1e-5)


def test_dciodvfy_finds_no_error_in_any_object(tmp_path: Path) -> None:
    paths = written(make_case(tmp_path), tmp_path / "out", suggested=True)
    assert sorted(paths) == ["report", "segmentation_1", "surface_kidney_left", "surface_liver"]
    assert {name: complaints(path) for name, path in paths.items()} == {name: [] for name in paths}


def test_dciodvfy_would_find_one(tmp_path: Path) -> None:
    path = written(make_case(tmp_path), tmp_path / "out")["segmentation_1"]
    dataset = dcmread(path)
    del dataset.SegmentSequence[0].SegmentedPropertyTypeCodeSequence
    dataset.save_as(path)
    assert complaints(path)


def test_the_report_says_what_was_measured_and_who_decided(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    paths = written(case, tmp_path / "out")
    report, segmentation = highdicom.sr.srread(paths["report"]), dcmread(paths["segmentation_1"])
    groups = report.content.get_volumetric_roi_measurement_groups()
    assert [group.tracking_identifier for group in groups] == ["liver", "kidney_left"]
    for number, (group, state) in enumerate(zip(groups, ("approved", "edited"), strict=True), start=1):
        (volume,) = group.get_measurements(highdicom.sr.CodedConcept("118565006", "SCT", "Volume"))
        name = group.tracking_identifier
        assert volume.value == case.artefact(f"surfaces/{name}.glb").details["volume_ml"]
        reference = group.referenced_segment
        assert reference.referenced_sop_instance_uid == segmentation.SOPInstanceUID
        assert reference.referenced_segment_numbers == [number]
        (decision,) = group.get_qualitative_evaluations()
        assert decision.value.meaning == state
        texts = [item.TextValue for item in group[0].ContentSequence if item.ValueType == "TEXT"]
        assert f"{state} by {PERSON} at {TIME}: {state} by hand" in texts
    assert report.CompletionFlag == "COMPLETE"


def test_the_side_is_a_modifier_and_an_unknown_structure_keeps_its_name(tmp_path: Path) -> None:
    case = make_case(tmp_path, decided=False)
    dataset = dcmread(written(case, tmp_path / "out", suggested=True)["segmentation_1"])
    _, kidney, lesion = (segment.SegmentedPropertyTypeCodeSequence[0] for segment in dataset.SegmentSequence)
    assert (kidney.CodingSchemeDesignator, kidney.CodeValue) == ("SCT", "64033007")
    assert kidney.SegmentedPropertyTypeModifierCodeSequence[0].CodeMeaning == "Left"
    assert (lesion.CodingSchemeDesignator, lesion.CodeMeaning) == ("99SURGNAV", "lesion_7")


def test_only_what_a_person_approved_leaves(tmp_path: Path) -> None:
    case = make_case(tmp_path, decided=False)
    with pytest.raises(ArchiveError, match="none of liver, kidney_left, lesion_7 may leave"):
        make_objects(case)
    case.decide("liver", "approved", PERSON, "2026-11-27T11:00:00+01:00", looked_at=True)
    names = {each.name for each in make_objects(case)}
    assert names == {"segmentation_1", "surface_liver", "report"}
    case.decide("liver", "rejected", PERSON, "2026-11-27T12:00:00+01:00")
    (segmentation, *_) = make_objects(case, suggested=True)
    assert [each.SegmentLabel for each in segmentation.dataset.SegmentSequence] == ["kidney_left", "lesion_7"]


def uids(objects: list[ArchiveObject]) -> dict[str, str]:
    return {each.name: each.dataset.SOPInstanceUID for each in objects}


def test_the_same_case_makes_the_same_objects_and_a_new_decision_a_new_report(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    first, again = make_objects(case), make_objects(case)
    assert uids(first) == uids(again)
    assert [each.dataset == other.dataset for each, other in zip(first, again, strict=True)] == [True] * len(first)
    case.decide("kidney_left", "approved", "Dr B. Other", "2026-11-27T13:00:00+01:00")
    later = uids(make_objects(case))
    assert later["report"] != uids(first)["report"]
    assert later["surface_liver"] == uids(first)["surface_liver"]


def test_objects_belong_to_the_patient_and_study_of_the_ct(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    ct = dcmread(next((tmp_path / "ct").rglob("toboso*")))
    for each in make_objects(case):
        assert str(each.dataset.PatientName) == PATIENT
        assert each.dataset.StudyInstanceUID == ct.StudyInstanceUID
        assert each.dataset.SeriesInstanceUID != ct.SeriesInstanceUID


def test_the_encapsulated_surface_is_the_cases_own_file(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    dataset = dcmread(written(case, tmp_path / "out")["surface_liver"])
    content = case.path_of("surfaces/liver.stl").read_bytes()
    assert dataset.EncapsulatedDocument[: dataset.EncapsulatedDocumentLength] == content


def test_a_ct_that_nothing_can_refer_to_is_refused(tmp_path: Path) -> None:
    def without(dataset: object, _: int) -> None:
        del dataset.FrameOfReferenceUID

    def each_its_own(dataset: object, k: int) -> None:
        dataset.FrameOfReferenceUID = f"1.2.3.{k + 1}"

    with pytest.raises(ArchiveError, match="without FrameOfReferenceUID"):
        make_objects(make_case(tmp_path / "a", edit=without))
    with pytest.raises(ArchiveError, match="14 slices of 14 frames of reference"):
        make_objects(make_case(tmp_path / "b", edit=each_its_own))


def test_a_changed_label_volume_is_refused(tmp_path: Path) -> None:
    case = make_case(tmp_path)
    path = case.path_of("labels/labels.nii.gz")
    path.write_bytes(path.read_bytes() + b"\x00")
    with pytest.raises(ArchiveError, match=r"may leave|out of date"):
        make_objects(case)
