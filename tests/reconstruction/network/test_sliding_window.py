"""The sliding window is MONAI's, in one layer's memory, for any channels; known air is not asked about."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from reconstruction.network.outside import clear_outside, far_air
from reconstruction.network.segmentation import class_probabilities
from reconstruction.network.sliding_window import gaussian_weights, sliding_window, window_starts
from reconstruction.network.weights import load_weights

WINDOW = (16, 16, 16)


@pytest.fixture(scope="module")
def volume() -> np.ndarray:
    return np.random.default_rng(11).normal(size=(50, 17, 30)).astype(np.float32)


def test_the_sliding_window_is_monais(volume: np.ndarray) -> None:
    import torch
    from monai.inferers import sliding_window_inference

    kernel = torch.from_numpy(np.random.default_rng(1).normal(size=(3, 1, 5, 5, 5)).astype(np.float32))

    def convolve(batch: torch.Tensor) -> torch.Tensor:
        # Zero padding makes a window's border differ from its middle: a wrong place or weight would show.
        return torch.nn.functional.conv3d(batch, kernel, padding=2)

    ours = sliding_window(volume, WINDOW, 0.25, lambda batch: convolve(torch.from_numpy(batch)).numpy(), (0, 0, 0))
    reference = sliding_window_inference(
        torch.from_numpy(volume)[None, None], WINDOW, 1, convolve, overlap=0.25, mode="gaussian"
    )
    # Single precision sums of 125 products around 1.
    np.testing.assert_allclose(ours, reference[0].numpy(), atol=2e-4)


def test_layers_that_are_finished_one_by_one_are_all_windows_at_once_in_any_order(volume: np.ndarray) -> None:
    def predict(batch: np.ndarray) -> np.ndarray:
        # Depends on the window as a whole, as instance normalisation does.
        return np.concatenate([(batch - batch.mean()) * (c + 1) for c in range(18)], axis=1)

    places = list(product(*(window_starts(n, 16, 0.4) for n in volume.shape)))
    np.random.default_rng(2).shuffle(places)
    total, weights = np.zeros((18, *volume.shape)), np.zeros(volume.shape)
    for place in places:
        where = tuple(slice(s, s + 16) for s in place)
        total[:, *where] += gaussian_weights(WINDOW) * predict(volume[where][None, None])[0]
        weights[where] += gaussian_weights(WINDOW)
    ours = sliding_window(volume, WINDOW, 0.4, predict, [0.0] * 18)
    np.testing.assert_allclose(ours, total / weights, atol=1e-4)  # values up to 70 in single precision


def test_one_window_is_the_prediction_itself() -> None:
    volume = np.random.default_rng(2).normal(size=(8, 9, 10)).astype(np.float32)
    shares: list[float] = []
    out = sliding_window(volume, (8, 9, 10), 0.5, lambda batch: 2 * batch, [0.0], progress=shares.append)
    np.testing.assert_allclose(out[0], 2 * volume, rtol=1e-6)
    assert shares == [1.0]
    assert gaussian_weights((8, 9, 10)).min() >= 1e-3


@pytest.mark.parametrize("rows", [slice(0, 3), slice(20, 24), slice(47, 50), slice(0, 0)])
def test_only_windows_with_something_asked_are_run_and_the_rest_is_known(volume: np.ndarray, rows: slice) -> None:
    asked = np.zeros(volume.shape, bool)
    asked[rows] = True
    shares: list[float] = []
    run = sliding_window(volume, WINDOW, 0.25, lambda batch: 2 * batch, [7.0], asked, shares.append)
    everything = sliding_window(volume, WINDOW, 0.25, lambda batch: 2 * batch, [7.0])
    np.testing.assert_array_equal(run[0][asked], everything[0][asked])
    starts = [s for s in window_starts(50, 16, 0.25) if s < rows.stop and s + 16 > rows.start]
    assert len(shares) == 2 * 3 * len(starts)
    covered = np.zeros(50, bool)
    for start in starts:
        covered[start : start + 16] = True
    np.testing.assert_array_equal(run[0][~covered], 7.0)


def test_stopping_leaves_nothing_behind(volume: np.ndarray) -> None:
    class StopError(Exception):
        pass

    ran = []

    def stop_half_way(share: float) -> None:
        ran.append(share)
        if share >= 0.5:
            raise StopError

    with pytest.raises(StopError):
        sliding_window(volume, WINDOW, 0.25, lambda batch: batch, [0.0], progress=stop_half_way)
    assert ran[-1] < 0.6


# ---------------------------------------------------------------------------------------------------- air not asked for
class Dreamer:
    """A network that sees lung everywhere, and in each window something else."""

    name = "dreamer"

    def __init__(self) -> None:
        self.windows = 0

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.windows += 1
        logits = np.zeros((1, 5, *batch.shape[2:]), np.float32)
        logits[:, 3], logits[:, 1] = 1.0 + batch.std() / 1000.0, batch[:, 0] / 1000.0
        return logits


def beside_air() -> np.ndarray:
    """A patient with a lung in a wide room of air, at 2 mm; the noise is a CT's."""
    hu = np.full((96, 112, 420), -1000.0, np.float32)
    hu[:, 30:80, 20:110] = 40.0
    hu[:, 40:70, 30:60] = -870.0
    return hu + np.random.default_rng(5).normal(0.0, 8.0, hu.shape).astype(np.float32)


def test_leaving_out_far_air_changes_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    hu, weights, skipping, asking = beside_air(), load_weights(), Dreamer(), Dreamer()
    found = class_probabilities(hu, weights, skipping, 0.25)
    monkeypatch.setattr("reconstruction.network.segmentation.far_air", lambda hu, spacing_mm: np.zeros(hu.shape, bool))
    everything = class_probabilities(hu, weights, asking, 0.25)
    assert (skipping.windows, asking.windows) == (2, 5)
    for probabilities in (found, everything):
        clear_outside(probabilities, hu, 2.0)
    np.testing.assert_array_equal(found, everything)


def test_far_air_is_neither_lung_nor_near_the_skin_even_where_the_field_of_view_cuts_the_lung() -> None:
    hu = beside_air()
    hu[:, :70, 30:60] = -870.0  # out to the side of the scan
    air = far_air(hu, 2.0)
    assert not air[:, :70, 30:60].any()
    assert not air[:, 30:80, 20:110].any()
    assert not air[:, 30:80, 110:113].any()
    assert air[:, :, 120:].all()
    assert not far_air(np.full((4, 5, 6), -870.0, np.float32), 2.0).any()
