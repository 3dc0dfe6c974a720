"""``surgnav evaluate`` on images: the table, the JSON and the picture, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from navigation.cli import app
from tests.reconstruction.training.made_vessels import write_vessels


def run(*words: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["evaluate", *map(str, words)])
    return result.exit_code, " ".join(result.output.split())


def test_images_give_a_table_json_and_a_picture(tmp_path: Path):
    from matplotlib.image import imread

    toml, out = write_vessels(tmp_path / "made"), tmp_path / "scores.json"
    code, said = run(toml, "--json", out, "--pictures", tmp_path / "pictures")
    assert code == 0, said
    assert "4 frames, part held_out; none was seen in training" in said
    scores = json.loads(out.read_text())
    assert f"vessel {scores['scores']['pooled_dice']['vessel']:.3f}" in said
    (picture,) = (tmp_path / "pictures").iterdir()
    pixels = imread(picture)[..., :3]
    coloured = np.ptp(pixels, axis=2) > 0.3
    # Contours in each of the three frames: worst, median, best.
    assert [part[40:-40].sum() > 50 for part in np.array_split(coloured, 3, axis=1)] == [True] * 3


def test_masks_belong_to_a_ct_and_pictures_to_images(tmp_path: Path):
    toml = write_vessels(tmp_path / "made")
    assert run(toml, tmp_path)[0] == 2
    assert run(tmp_path)[0] == 2
    assert run(tmp_path, tmp_path, "--pictures", tmp_path / "pictures")[0] == 2


@pytest.mark.parametrize("part", ["validation", "training"])
def test_a_part_without_frames_is_said(tmp_path: Path, part: str):
    code, said = run(write_vessels(tmp_path / "made"), "--part", part)
    assert code == 1
    assert f"no frame in the part '{part}'" in said
