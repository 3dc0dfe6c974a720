"""MONAI bundles: our answer is that of MONAI's own run of the same folder; what would run code is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from geometry.volume import Volume
from reconstruction.guests.errors import ModelError
from reconstruction.guests.kinds import open_guest, read_card
from tests.reconstruction.guests.bundles import bundle_config, bundle_metadata, write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "tiny_ct_segmentation")


def run_by_monai(folder: Path, ct: Path) -> tuple[np.ndarray, np.ndarray]:
    """What MONAI's objects of the folder's whole configuration write for a CT file: voxels and affine.

    Its evaluator does these very steps, but needs pytorch-ignite for them.
    """
    import torch
    from monai.bundle import ConfigParser
    from monai.data import decollate_batch

    (folder / "data").mkdir()
    shutil.copy(ct, folder / "data" / "ct.nii.gz")
    (configuration,) = (folder / "configs").glob("inference.*")
    parser = ConfigParser()
    parser.read_config(str(configuration))
    parser["bundle_root"] = str(folder)
    network, inferer = parser.get_parsed_content("network"), parser.get_parsed_content("inferer")
    network.load_state_dict(torch.load(folder / "models" / "model.pt", weights_only=True))
    network.eval()
    with torch.no_grad():
        (batch,) = parser.get_parsed_content("dataloader")
        batch["pred"] = inferer(batch["image"], network)
        for item in decollate_batch(batch):
            parser.get_parsed_content("postprocessing")(item)
    (written,) = (folder / "eval").rglob("*.nii.gz")
    image = nibabel.load(written)
    return np.asarray(image.dataobj), image.affine


def test_card_says_what_the_bundle_says(bundle: Path):
    card = read_card(bundle, "tiny")
    assert card.structures == ("Left kidney", "Aorta", "Spleen")
    assert card.orientation == "RAS"
    assert card.spacing_mm == (3.0, 3.0, 4.0)  # by way of a reference
    assert card.intensities_hu == (-200.0, 300.0)
    assert card.window == (32, 32, 24)
    assert (card.licence, card.modality) == ("Apache License 2.0", "CT")
    assert card.trained_on == "none: random weights"
    assert set(card.files) == {"configs/metadata.json", "configs/inference.json", "models/model.pt"}


@pytest.mark.parametrize("yaml", [False, True])
def test_labels_are_those_of_monai(tmp_path: Path, oblique_ct: Volume, oblique_file: Path, yaml: bool):
    folder = write_bundle(tmp_path / "tiny", yaml=yaml)
    theirs, affine = run_by_monai(folder, oblique_file)
    answer = open_guest(read_card(folder, "tiny")).segment(oblique_ct)
    (layer,) = answer.layers
    assert len(np.unique(theirs)) >= 3
    np.testing.assert_array_equal(layer.voxels, theirs.transpose(2, 1, 0))
    np.testing.assert_allclose(layer.affine, np.diag([-1, -1, 1, 1]) @ affine, atol=1e-4)
    np.testing.assert_allclose(layer.affine, oblique_ct.affine, atol=1e-4)
    assert {s.value: s.name for s in answer.segments} == {1: "Left kidney", 2: "Aorta", 3: "Spleen"}


def test_probabilities_are_those_of_monai(tmp_path: Path, oblique_ct: Volume, oblique_file: Path):
    config = bundle_config()
    config["postprocessing"]["transforms"].pop(2)  # no labels: probabilities are saved
    folder = write_bundle(tmp_path / "tiny", config)
    theirs, _ = run_by_monai(folder, oblique_file)
    ours = np.asarray(open_guest(read_card(folder, "tiny")).run(oblique_ct))
    difference = np.abs(ours - theirs.transpose(3, 0, 1, 2)).max()
    print(f"largest difference of probabilities to MONAI's own run: {difference:.2g}")
    assert difference < 1e-3
    assert theirs.std() > 0.05


def test_masks_that_overlap_become_layers(tmp_path: Path, oblique_ct: Volume):
    config = bundle_config()
    config["postprocessing"]["transforms"][0] = {"_target_": "Activationsd", "keys": "pred", "sigmoid": True}
    config["postprocessing"]["transforms"][2] = {"_target_": "AsDiscreted", "keys": "pred", "threshold": 0.5}
    answer = open_guest(read_card(write_bundle(tmp_path / "tiny", config), "tiny")).segment(oblique_ct)
    assert [(s.name, s.layer) for s in answer.segments] == [("Left kidney", 1), ("Aorta", 2), ("Spleen", 3)]
    both = (np.asarray(answer.layers[1].voxels) > 0) & (np.asarray(answer.layers[2].voxels) > 0)
    assert both.any()


@pytest.mark.parametrize(
    ("entry", "value", "said"),
    [
        ("spacing", "$__import__('os').system('true') or [1, 1, 1]", "the expression"),
        ("spacing", "$[open('x').read()]", "the expression"),
        ("spacing", "$(1).__class__", "the expression"),
        ("inferer", {"_target_": "os.system", "command": "true"}, "'os.system'"),
        ("inferer", {"_target_": "monai.networks.nets.resnet.logging.os.system", "command": "true"}, r"os\.system"),
        ("inferer", {"_target_": "@spacing"}, "'@spacing'"),
        ("inferer", {"_target_": "monai.bundle.run"}, "'monai.bundle.run'"),
        ("inferer", {"_target_": "SimpleInferer", "_mode_": "debug"}, "_mode_ debug"),
    ],
)
def test_configuration_that_would_run_code_is_refused(tmp_path: Path, entry: str, value: object, said: str):
    folder = write_bundle(tmp_path / "tiny", bundle_config() | {entry: value})
    with pytest.raises(ModelError, match=said) as refused:
        read_card(folder, "tiny")
    assert "--trust" in str(refused.value)


class Harmful:
    """A pickle that calls a function when it is read."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this must never be printed",)


def test_checkpoint_that_would_run_code_is_refused_unless_trusted(
    tmp_path: Path, oblique_ct: Volume, capsys: pytest.CaptureFixture[str]
):
    import torch

    folder = write_bundle(tmp_path / "tiny")
    weights = folder / "models" / "model.pt"
    state = torch.load(weights, weights_only=True)
    torch.save({"model": state, "more": Harmful()}, weights)
    with pytest.raises(ModelError, match=r"run print.*--trust"):
        open_guest(read_card(folder, "tiny"))
    assert "never" not in capsys.readouterr().out
    assert open_guest(read_card(folder, "tiny", trusted=True)).segment(oblique_ct).layers


def test_what_is_not_ct_or_incomplete_is_refused_by_name(tmp_path: Path):
    of_mri = bundle_metadata()
    of_mri["network_data_format"]["inputs"]["image"]["modality"] = "MR"
    with pytest.raises(ModelError, match="a network of MR"):
        read_card(write_bundle(tmp_path / "mri", metadata=of_mri), "mri")
    nameless = bundle_metadata()
    del nameless["network_data_format"]["outputs"]["pred"]["channel_def"]
    with pytest.raises(ModelError, match="do not name its labels"):
        read_card(write_bundle(tmp_path / "nameless", metadata=nameless), "nameless")
    without = {key: value for key, value in bundle_config().items() if key != "inferer"}
    with pytest.raises(ModelError, match="without inferer"):
        read_card(write_bundle(tmp_path / "without", without), "without")
    bare = write_bundle(tmp_path / "bare")
    (bare / "models" / "model.pt").unlink()
    with pytest.raises(ModelError, match="without weights"):
        read_card(bare, "bare")


def test_weights_of_another_network_and_changed_files_are_refused(tmp_path: Path):
    config = bundle_config()
    config["network_def"] = config["network_def"] | {"channels": [4, 8, 8]}
    with pytest.raises(ModelError, match="not those of the bundle's network"):
        open_guest(read_card(write_bundle(tmp_path / "other", config), "other"))
    folder = write_bundle(tmp_path / "changed")
    card = read_card(folder, "changed")
    (folder / "configs" / "inference.json").write_text(json.dumps(bundle_config() | {"more": 1}))
    with pytest.raises(ModelError, match=r"have changed.*configs/inference\.json"):
        open_guest(card)
