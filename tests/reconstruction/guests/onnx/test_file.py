"""An ONNX file with a sidecar: turned, resampled and scaled as it says, equal to MONAI's inference, refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from monai.inferers import sliding_window_inference

from case.nifti_files import write_nifti
from geometry.volume import Volume
from reconstruction.ct.read import read_ct
from reconstruction.guests.errors import ModelError
from reconstruction.guests.kinds import open_guest, read_card
from reconstruction.guests.onnx.file import OnnxFile
from reconstruction.guests.reading import segment_with
from reconstruction.network.grid import to_nearest_lps
from tests.reconstruction.guests.onnx.made_onnx import write_onnx_guest


def slab_ct(spacing_mm: tuple[float, float, float] = (2.0, 2.0, 2.0)) -> Volume:
    """Water with a slab of bone from x = 10 mm to x = 30 mm, left, and air beyond x = 80 mm."""
    counts = [round(100 / s) for s in spacing_mm]
    affine = np.diag([*spacing_mm, 1.0])
    affine[:3, 3] = [s / 2 for s in spacing_mm]
    x, y, z = (np.arange(n) * s + s / 2 for n, s in zip(counts, spacing_mm, strict=True))
    hu = np.zeros(counts[::-1], np.float32)
    bone = (x > 10) & (x < 30)
    hu[np.ix_(z < 60, y < 70, bone)] = 800.0
    hu[:, :, x > 80] = -1000.0
    return Volume(hu, affine)


def turned_away(ct: Volume) -> Volume:
    """The same patient, stored in another order of axes."""
    affine = ct.affine[:, [2, 0, 1, 3]].copy()
    for new, old in ((0, 2), (1, 0)):
        affine[:3, 3] += affine[:3, new] * (ct.shape_ijk[old] - 1)
        affine[:3, new] *= -1
    voxels = np.ascontiguousarray(ct.voxels.transpose(1, 2, 0)[:, ::-1, ::-1])
    return Volume(voxels, affine, ct.frame)


@pytest.mark.parametrize("orientation", ["LPS", "RAS"])
@pytest.mark.parametrize("axes", ["kji", "ijk"])
@pytest.mark.parametrize("stored_otherwise", [False, True])
def test_left_is_left_however_the_network_and_the_file_have_their_axes(
    tmp_path: Path, orientation: str, axes: str, stored_otherwise: bool
):
    guest = open_guest(read_card(write_onnx_guest(tmp_path, orientation, axes), "made"))
    ct = turned_away(slab_ct()) if stored_otherwise else slab_ct()
    answer = guest.segment(ct)
    dense, leftward = (to_nearest_lps(layer) for layer in answer.layers)
    np.testing.assert_array_equal(dense.voxels == 1, slab_ct().voxels > 200)
    # Denser to the left than to the right: only at the right face of the slab, x = 10 mm. Near the scan's corners
    # what a convolution pads a window with counts as well, as it does in MONAI's blending.
    x = np.unique(np.nonzero(leftward.voxels[5:25, 5:25, :40])[2]) * 2.0 + 1.0
    np.testing.assert_allclose(x, [7.0, 9.0, 11.0, 13.0])  # a voxel's mean reaches into its neighbours


@pytest.mark.parametrize("spacing_mm", [(2.0, 2.0, 2.0), (1.0, 2.5, 4.0)])
def test_another_spacing_is_resampled_to_the_sidecars(tmp_path: Path, spacing_mm: tuple[float, float, float]):
    guest = open_guest(read_card(write_onnx_guest(tmp_path, "RAS", "ijk", (1.5, 2.0, 3.0)), "made"))
    ct = slab_ct(spacing_mm)
    found, truth = guest.segment(ct).layers[0], ct.voxels > 200
    same = to_nearest_lps(found)
    np.testing.assert_allclose(same.affine, ct.affine, atol=1e-9)
    overlap = 2 * ((same.voxels == 1) & truth).sum() / ((same.voxels == 1).sum() + truth.sum())
    assert overlap > 0.93  # partial voxels: bone is called from 200 of 800 HU


def test_its_windows_are_those_of_monai(tmp_path: Path, oblique_ct: Volume):
    path = write_onnx_guest(tmp_path)
    guest = open_guest(read_card(path, "made"))
    assert isinstance(guest, OnnxFile)
    probabilities, grid = guest.probabilities(oblique_ct)
    assert np.linalg.norm(grid.affine[:3, :3], axis=0) == pytest.approx([2.0, 2.0, 2.0])
    values = np.clip(guest_grid_hu(oblique_ct), -1000, 1000) / 1000
    session = onnxruntime.InferenceSession(str(path))
    expected = sliding_window_inference(
        torch.from_numpy(values[None, None]),
        (16, 20, 24),
        1,
        lambda windows: torch.from_numpy(session.run(None, {"image": windows.numpy()})[0]),
        overlap=0.5,
        mode="gaussian",
    )
    np.testing.assert_allclose(probabilities, torch.sigmoid(expected)[0].numpy(), atol=1e-5)


def guest_grid_hu(ct: Volume) -> np.ndarray:
    from reconstruction.network.grid import network_grid, resample

    lps = to_nearest_lps(ct)
    return resample(lps, network_grid(lps, 2.0), (-1000.0, 1000.0))


def test_a_case_gets_its_structures_and_the_card_is_kept(tmp_path: Path):
    write_nifti(tmp_path / "ct.nii.gz", slab_ct())
    card = read_card(write_onnx_guest(tmp_path / "guest"), "made")
    assert (card.structures, card.window, card.licence) == (("dense", "leftward"), (24, 20, 16), "made by a test")
    reading = segment_with(open_guest(card), read_ct(tmp_path / "ct.nii.gz"))
    assert [structure.name for structure in reading.structures] == ["dense", "leftward"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('structures = ["dense", "leftward"]', 'structures = ["dense"]', "an answer of shape"),
        ('answer = "mask_logits"', 'answer = "logits"', "an answer of shape"),
        ('orientation = "LPS"', 'orientation = "LAS"', "orientation"),
        ("window = [24, 20, 16]", "", "window: Field required"),
        ("window = [24, 20, 16]", "window = [24, 20, 16]\ncolour = 1", "colour"),
        ("clip_hu = [-1000, 1000]", "clip_hu = [1000, -1000]", "lower"),
        ("scale_to = [-1, 1]", "", "scale_to and mean_hu"),
        ("scale_to = [-1, 1]", "scale_to = [-1, 1]\nmean_hu = 3", "scale_to and mean_hu"),
        ("axes =", "axes", "no TOML"),
        ('["dense", "leftward"]', '["dense", "dense"]', "twice"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_refused_with_the_reason(tmp_path: Path, old: str, new: str, said: str):
    path = write_onnx_guest(tmp_path)
    sidecar = path.with_suffix(".toml")
    text = sidecar.read_text("utf-8")
    assert old in text
    sidecar.write_text(text.replace(old, new), "utf-8")
    with pytest.raises(ModelError) as caught:
        open_guest(read_card(path, "made")).segment(slab_ct())
    assert said in str(caught.value)
    assert caught.value.action


def test_no_sidecar_a_damaged_file_and_one_of_pictures_are_refused(tmp_path: Path, repository: Path):
    path = write_onnx_guest(tmp_path)
    toml = path.with_suffix(".toml").read_text("utf-8")
    pictures = repository / "reconstruction" / "network" / "weights" / "ultrasound_nerve_vessel_tiny.onnx"
    (tmp_path / "pictures.onnx").write_bytes(pictures.read_bytes())
    (tmp_path / "pictures.toml").write_text(toml, "utf-8")
    with pytest.raises(ModelError, match="one input"):
        read_card(tmp_path / "pictures.onnx", "made")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ModelError, match="no whole ONNX file"):
        read_card(path, "made")
    path.with_suffix(".toml").unlink()
    with pytest.raises(ModelError, match=r"without a readable made\.toml"):
        read_card(path, "made")
