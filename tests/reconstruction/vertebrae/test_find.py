"""Vertebrae found, parted and numbered: simple spines whose numbers are known, and what must be said of them."""

from pathlib import Path

import numpy as np
import pytest

from geometry.errors import InvalidVolumeError
from geometry.volume import Volume
from reconstruction.ct.nifti import read_nifti_volume
from reconstruction.labels.names import read_label_names
from reconstruction.network.grid import to_nearest_lps
from reconstruction.phantom.spine_evidence import Disturbance, around_spine, evidence_of, matched
from reconstruction.vertebrae.anatomy import USUAL, SpinePlan
from reconstruction.vertebrae.evidence import SpineEvidence
from reconstruction.vertebrae.find import find_vertebrae
from tests.reconstruction.vertebrae.spines import SACRUM, spine

SIX = SpinePlan(12, 6, 0.0).levels
# No part of the counting step knows such errors: offsets too short and off by 4 mm over large parts, regions mixed.
ROUGH = Disturbance(short=0.7, noise_mm=4.0, blur=0.7, mixed=0.5)


# Without offsets from the chest down only: at 3 mm the discs of a neck are not seen.
@pytest.mark.parametrize(("levels", "offsets"), [(USUAL.levels, True), (USUAL.levels[12:], False)])
def test_a_spine_is_found_and_numbered_with_offsets_and_without(levels: tuple[str, ...], offsets: bool):
    labels, names = spine(levels)
    found = find_vertebrae(evidence_of(labels, names, offsets=offsets))
    said = matched(labels, names, found)
    assert {level: number for level, (number, _) in said.items()} == {level: level for level in levels}
    # Voxels of 3 mm, as the network's: one voxel off the border of a cervical vertebra costs a fifth of it.
    assert min(dice for _, dice in said.values()) > 0.8
    assert found.findings == (() if offsets else ("the network gives no offsets: vertebrae are parted at the discs",))
    assert [vertebra.number for vertebra in found.vertebrae] == list(levels)
    assert all(vertebra.confidence >= 0.9 for vertebra in found.vertebrae)


def test_processes_that_reach_the_next_body_stay_with_their_own():
    labels, names = spine(USUAL.levels[10:])
    bone = labels.with_voxels(
        np.isin(labels.voxels, [v for v, n in names.items() if "rib" not in n]).astype(np.float32)
    )
    found = find_vertebrae(evidence_of(labels, names), bone)
    same = np.asarray(found.labels.voxels) == np.where(np.asarray(labels.voxels) < SACRUM, labels.voxels, 0)
    assert found.labels.voxels.shape == labels.voxels.shape
    assert same[np.asarray(labels.voxels) < SACRUM].mean() > 0.995


def test_six_lumbar_vertebrae_are_noticed():
    labels, names = spine(SIX)
    found = find_vertebrae(evidence_of(labels, names))
    assert [vertebra.number for vertebra in found.vertebrae] == list(SIX)
    assert any("six lumbar vertebrae" in finding for finding in found.findings)
    assert any("disagree by one" in finding for finding in found.findings)


def test_six_lumbar_vertebrae_without_a_view_of_the_chest_are_no_certainty():
    labels, names = spine(SIX[16:])
    found = find_vertebrae(evidence_of(labels, names))
    assert [vertebra.number for vertebra in found.vertebrae] == [None] * 9
    assert any("six lumbar vertebrae" in finding for finding in found.findings)
    assert set(found.vertebrae[-1].candidates) >= {"L6", "L5"}


@pytest.mark.parametrize("levels", [("L2", "L3", "L4"), USUAL.levels[9:15]])
def test_without_anything_to_count_from_there_is_no_number(levels: tuple[str, ...]):
    labels, names = spine(levels, sacrum=False)
    found = find_vertebrae(evidence_of(labels, names))
    assert len(found.vertebrae) == len(levels)
    assert all(v.number is None and v.name.startswith("vertebra_unnumbered_") for v in found.vertebrae)
    assert all(level in v.candidates for level, v in zip(levels, found.vertebrae, strict=True))
    assert any("nothing in it can be counted from" in finding for finding in found.findings)


def test_no_wrong_number_stands_when_the_network_is_rough():
    labels, names = spine(USUAL.levels[12:])
    for seed in range(2):
        said = matched(labels, names, find_vertebrae(evidence_of(labels, names, ROUGH, seed)))
        assert all(number in (None, level) for level, (number, _) in said.items())
        assert sum(number is not None for number, _ in said.values()) >= 0.7 * len(names) - 2


def test_a_slab_that_the_network_missed_makes_no_wrong_number_and_is_told():
    labels, names = spine(USUAL.levels[14:])
    found = find_vertebrae(evidence_of(labels, names, Disturbance(lost_mm=45.0)))
    said = matched(labels, names, found)
    assert all(number in (None, level) for level, (number, _) in said.items())
    assert any(finding.startswith(("gap", "uneven")) for finding in found.findings)


def test_a_vertebra_cut_by_the_scan_is_told():
    labels, names = spine(USUAL.levels[16:])
    cut = int(np.argwhere(labels.voxels == 1)[:, 0].min()) + 6
    short = Volume(labels.voxels[:cut], labels.affine, labels.frame)
    found = find_vertebrae(evidence_of(short, names))
    assert found.vertebrae[0].cut
    assert any("cut by the edge" in finding for finding in found.findings)


def test_a_scan_without_vertebrae_says_so():
    labels, _ = spine(USUAL.levels[20:])
    nothing = labels.with_voxels(np.zeros(labels.voxels.shape, np.uint8))
    for offsets in (True, False):
        evidence = evidence_of(nothing, {1: "sacrum"}, offsets=False)
        if offsets:
            evidence = SpineEvidence(evidence.grid, evidence.probabilities, np.zeros((3, *evidence.grid.voxels.shape)))
        found = find_vertebrae(evidence)
        assert found.vertebrae == ()
        assert found.findings[0] == "no vertebra found"
        assert not found.labels.voxels.any()


def test_evidence_that_lacks_a_class_or_fits_no_grid_is_refused():
    grid = Volume(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    with pytest.raises(InvalidVolumeError, match="vertebra_lumbar"):
        SpineEvidence(grid, {"sacrum": np.zeros((4, 4, 4))}, None)
    labels, names = spine(("L1", "L2"))
    good = evidence_of(labels, names, offsets=False)
    with pytest.raises(InvalidVolumeError, match="offsets"):
        SpineEvidence(good.grid, good.probabilities, np.zeros((3, 4, 4, 4)))


def test_a_labelled_patient_is_numbered_as_he_was_by_others(shared_data: Path):
    folder = shared_data / "ct" / "totalseg_example"
    names = read_label_names(folder / "totalseg_example_labels.csv")
    labels = around_spine(to_nearest_lps(read_nifti_volume(folder / "totalseg_example_seg_3mm.nii.gz")), names)
    found = find_vertebrae(evidence_of(labels, names, ROUGH))
    said = matched(labels, names, found)
    assert {level for level, (number, _) in said.items() if number == level} >= {"T12", "L1", "L2", "L3", "L4", "L5"}
    assert np.median([dice for _, dice in said.values()]) > 0.9
