"""Neighbouring frames never straddle a split."""

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from reconstruction.training.images.files import read_pixels, to_grey
from reconstruction.training.images.split import PARTS, draw_parts, groups, likeness, read_split

SPLIT = "reconstruction/training/images/usgra_split.csv"
THRESHOLD = 0.42


def test_frames_of_one_sweep_are_found_together_and_others_apart():
    rng = np.random.default_rng(4)
    scenes = [60 + 40 * gaussian_filter(rng.standard_normal((128, 128)), 3) * 12 for _ in range(3)]
    images = []
    for scene in scenes:
        for offset, gain in (((0, 0), 1.0), ((9, -12), 0.7), ((-5, 20), 1.3)):
            moved = shift(scene, offset, mode="nearest", order=1) * gain + rng.normal(0, 2, scene.shape)
            images.append(moved.clip(0, 255).astype(np.float32))
    similar = likeness(images)
    np.testing.assert_allclose(np.diag(similar), 1.0, atol=0.01)
    assert groups(similar, THRESHOLD).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_whole_groups_are_drawn_and_the_largest_stays_in_training():
    group = np.array([0] * 10 + [1] * 3 + [2] * 3 + [3] * 2 + [4, 5, 6, 7])
    for seed in range(20):
        parts = np.array(draw_parts(group, held_out=4, validation=2, seed=seed))
        assert set(parts[group == 0]) == {"training"}
        assert all(len(set(parts[group == g])) == 1 for g in range(8))
        assert (parts == "held_out").sum() >= 4
        assert (parts == "validation").sum() >= 2
    assert draw_parts(group, 4, 2, 5) == draw_parts(group, 4, 2, 5)


def test_the_committed_split_keeps_each_group_in_one_part(repository: Path):
    rows = [line.split(",") for line in (repository / SPLIT).read_text().splitlines() if not line.startswith("#")]
    part_of: dict[str, set[str]] = {}
    for _, group, part in rows:
        part_of.setdefault(group, set()).add(part)
    assert all(len(parts) == 1 for parts in part_of.values())
    parts = list(read_split(repository / SPLIT).values())
    assert [parts.count(part) for part in PARTS] == [144, 20, 40]


def test_no_two_frames_that_look_alike_straddle_the_committed_split(repository: Path, shared_data: Path):
    """Measured on the frames themselves, not on the groups in the file."""
    parts = read_split(repository / SPLIT)
    paths = sorted((shared_data / "us" / "usgra_train" / "images").glob("*.png"))
    assert [path.stem for path in paths] == list(parts)
    similar = likeness([to_grey(read_pixels(path)) for path in paths])
    part = np.array(list(parts.values()))
    straddling = similar[part[:, None] != part[None]]
    assert straddling.max() < THRESHOLD
    assert similar[~np.eye(len(paths), dtype=bool)].max() > 0.95, "the set has repeated frames, and they are found"


@pytest.mark.parametrize("line", ["0001,3", "0001,3,exam"])
def test_a_split_with_a_wrong_line_is_refused(tmp_path: Path, line: str):
    from reconstruction.network.errors import TrainingDataError

    (tmp_path / "split.csv").write_text(f"# fine\n0000,1,training\n{line}\n")
    with pytest.raises(TrainingDataError, match="line 3"):
        read_split(tmp_path / "split.csv")
