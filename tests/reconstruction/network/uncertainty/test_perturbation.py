"""Changes of a CT that are taken back: what comes back lies where it was."""

import numpy as np
import pytest

from reconstruction.network.uncertainty.perturbation import Perturbation
from reconstruction.network.uncertainty.settings import PASSES, perturbations

SHAPE = (24, 36, 40)


def blob(centre: tuple[float, float, float]) -> np.ndarray:
    away = sum((axis - at) ** 2 for axis, at in zip(np.indices(SHAPE), centre, strict=True))
    return np.exp(-away / (2 * 3.0**2)).astype(np.float32)


@pytest.mark.parametrize("change", perturbations("full", 16))
def test_what_is_changed_and_taken_back_lies_where_it_was(change: Perturbation) -> None:
    truth = blob((12.0, 14.0, 26.0))
    silent = Perturbation(shift=change.shift, rotation_deg=change.rotation_deg, scale=change.scale)
    changed = silent.apply(truth)
    assert changed.shape == tuple(n + shift for n, shift in zip(SHAPE, change.shift, strict=True))
    back = silent.undo(np.stack([changed, 1.0 - changed]))
    # Two linear interpolations of a blob of 3 voxels flatten its top by a few hundredths.
    np.testing.assert_allclose(back[0], truth, atol=0.06)
    np.testing.assert_allclose(back.sum(axis=0), 1.0, atol=1e-5)
    centre = (np.indices(SHAPE) * back[0]).sum(axis=(1, 2, 3)) / back[0].sum()
    np.testing.assert_allclose(centre, (12.0, 14.0, 26.0), atol=0.1)


def test_hu_are_offset_and_noisy_by_as_much_as_is_said() -> None:
    made = Perturbation(offset_hu=20.0, noise_hu=10.0, seed=1).apply(np.zeros(SHAPE, np.float32))
    assert made.mean() == pytest.approx(20.0, abs=0.3)
    assert made.std() == pytest.approx(10.0, abs=0.3)


def test_the_efforts_are_repeatable_and_shift_by_less_than_a_stride() -> None:
    for effort, count in PASSES.items():
        made = perturbations(effort, 16)
        assert (len(made), made) == (count, perturbations(effort, 16))
        assert all(0 < n < 16 for change in made for n in change.shift)
