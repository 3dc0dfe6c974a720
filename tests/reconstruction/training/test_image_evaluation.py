"""Scores of a 2D network: made frames whose vessels are known, and the shipped network on held-out ones."""

from pathlib import Path

import numpy as np
import pytest

from reconstruction.network.errors import TrainingConfigError, TrainingDataError
from reconstruction.training.images.evaluate import ImageEvaluator
from tests.reconstruction.training.made_vessels import WRONG, write_vessels
from tests.reconstruction.training.tiny_training import write_toml


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> ImageEvaluator:
    return ImageEvaluator(write_vessels(tmp_path_factory.mktemp("vessels") / "made"))


def test_known_vessels_score_high_and_a_wrong_mask_is_the_worst_frame(evaluator: ImageEvaluator):
    result = evaluator.evaluate()
    vessel = [frame.dice["vessel"] for frame in result.frames]
    assert [value > 0.9 for value in vessel] == [number != WRONG for number in range(4)]
    assert vessel[WRONG] == 0.0
    assert result.examples()["worst"].files.name == f"made/{WRONG}"
    assert result.scores.median_dice["vessel"] > 0.9
    # One mask in four lies elsewhere: about a quarter of the pooled vessel is missed, and as much is false.
    assert result.scores.pooled_dice["vessel"] == pytest.approx(0.72, abs=0.05)
    assert result.trained_on == 0
    assert "vessel" in result.table()
    assert [frame["dice"]["vessel"] for frame in result.document()["frames"]] == vessel


def test_an_answer_lies_on_the_frames_own_pixels(evaluator: ImageEvaluator):
    answer = evaluator.answer(evaluator.files[0])
    assert answer.grey.shape == answer.truth.shape == answer.found.shape == (200, 220)
    found, drawn = (np.argwhere(mask == 2).mean(axis=0) for mask in (answer.found, answer.truth))
    assert np.abs(found - drawn).max() < 1.0


def test_what_does_not_fit_is_refused(evaluator: ImageEvaluator, tmp_path: Path):
    with pytest.raises(TrainingDataError, match="one of held_out"):
        evaluator.evaluate("training")
    with pytest.raises(TrainingConfigError, match="training file of volumes"):
        ImageEvaluator(write_toml(tmp_path))
    other = write_vessels(tmp_path / "made")
    other.write_text(other.read_text().replace("nerve = [128, 0, 0]\n", ""), "utf-8")
    with pytest.raises(TrainingConfigError, match="its classes"):
        ImageEvaluator(other)


def test_frames_that_were_trained_on_are_counted(repository: Path, shared_data: Path):
    config = repository / "reconstruction" / "training" / "images" / "ultrasound_nerve_vessel_tiny.toml"
    evaluator = ImageEvaluator(config, shared_data / "us")
    evaluator.files = [pair for pair in evaluator.files if pair.part == "training"][:3]
    assert evaluator.evaluate("training").trained_on == 3
