"""Sphere layouts from points in no order: known truth, missing and stray points, noise, and what cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from calibration.tool_geometry.confusion import confusions, laid_over
from calibration.tool_geometry.errors import LayoutRefusedError
from calibration.tool_geometry.layout import solve_layout

# NDI's passive probe 8700340, and 8700338, 8700339 of the same family.
PROBE_MM = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 50.0], [0.0, 25.0, 100.0], [0.0, -25.0, 135.0]])
RIGID_BODY_MM = np.array([[0.0, 0.0, 0.0], [0.0, 28.59, 41.02], [0.0, 0.0, 88.0], [0.0, -44.32, 40.45]])


def observed(
    rng: np.random.Generator,
    spheres_mm: np.ndarray = PROBE_MM,
    count: int = 100,
    noise_mm: float = 0.1,
    missing: float = 0.15,
    strays: float = 0.2,
) -> list[np.ndarray]:
    """What a tracker sees of a tool that is turned before it: each frame's points in an order of its own."""
    frames = []
    for rotation in Rotation.random(count, rng=rng):
        points = rotation.apply(spheres_mm) + rng.uniform(-200.0, 200.0, 3) - [0.0, 0.0, 1500.0]
        points = points[rng.random(len(points)) > missing] + 0.0
        points += noise_mm * rng.normal(size=points.shape)
        if rng.random() < strays:
            points = np.vstack([points, rng.uniform(-300.0, 300.0, 3) - [0.0, 0.0, 1500.0]])
        frames.append(rng.permutation(points))
    return frames


def errors_mm(spheres_mm: np.ndarray, truth_mm: np.ndarray) -> np.ndarray:
    """Distances of the spheres from the truth that they are laid over."""
    match = laid_over(spheres_mm, truth_mm)
    return np.linalg.norm(match.back(truth_mm)[match.point_of] - spheres_mm, axis=1)


@pytest.mark.parametrize("truth_mm", [PROBE_MM, RIGID_BODY_MM, np.vstack([RIGID_BODY_MM, [31.0, 12.0, 7.0]])])
def test_a_layout_is_found_with_missing_spheres_and_strays(truth_mm: np.ndarray) -> None:
    layout = solve_layout(observed(np.random.default_rng(1), truth_mm))
    assert len(layout.spheres_tool_mm) == len(truth_mm)
    # 0.1 mm in 80 frames each: 0.02 mm of RMS, four times that.
    assert errors_mm(layout.spheres_tool_mm, truth_mm).max() < 0.08
    assert layout.residual_rms_mm < 0.1 * np.sqrt(3.0)
    assert min(layout.seen) > 70
    np.testing.assert_allclose(layout.spheres_tool_mm.mean(axis=0), 0.0, atol=1e-9)


def test_without_noise_the_layout_is_exact() -> None:
    layout = solve_layout(observed(np.random.default_rng(2), noise_mm=0.0, count=40))
    np.testing.assert_allclose(errors_mm(layout.spheres_tool_mm, PROBE_MM), 0.0, atol=1e-8)


def test_the_expected_error_is_the_error_seen_over_many_layouts() -> None:
    seen, expected = [], []
    for seed in range(10):
        layout = solve_layout(observed(np.random.default_rng(seed), count=32, missing=0.0, strays=0.0))
        seen.append(np.sum(errors_mm(layout.spheres_tool_mm, PROBE_MM) ** 2))
        expected.append(np.trace(layout.covariances_mm2.sum(axis=0)))
    # Laid over the truth the errors lose six of their twelve numbers; ten draws of six know the ratio to 18 %.
    assert np.mean(seen) / np.mean(expected) == pytest.approx(0.5, abs=0.2)


def test_another_tool_in_view_is_no_part_of_the_layout() -> None:
    rng = np.random.default_rng(3)
    frames = observed(rng, strays=0.0)
    for at in range(0, 100, 4):
        other = Rotation.random(rng=rng).apply(RIGID_BODY_MM) + [150.0, 0.0, -1500.0]
        frames[at] = rng.permutation(np.vstack([frames[at], other]))
    assert errors_mm(solve_layout(frames).spheres_tool_mm, PROBE_MM).max() < 0.1


@pytest.mark.parametrize(
    ("spheres_mm", "noise_mm", "count", "said"),
    [
        (PROBE_MM, 0.1, 20, "frames with three points or more"),
        (PROBE_MM[:2], 0.1, 60, "0 frames with three points or more"),
        (np.array([[0.0, 0, 0], [60, 0, 0], [60, 40, 0], [0, 40, 0]]), 0.1, 60, "also fit in another order"),
        (np.array([[0.0, 0, 0], [50, 0, 0], [25, 43.5, 0], [80, 80, 10]]), 0.02, 60, None),
        (PROBE_MM, 1.2, 60, "do not lie as in the others|a residual of"),
    ],
)
def test_what_cannot_be_told_is_refused(spheres_mm: np.ndarray, noise_mm: float, count: int, said: str | None) -> None:
    frames = observed(np.random.default_rng(4), spheres_mm, count, noise_mm, missing=0.05, strays=0.0)
    if said is None:
        solve_layout(frames)
        return
    with pytest.raises(LayoutRefusedError, match=said):
        solve_layout(frames)


def test_spheres_that_move_are_refused() -> None:
    rng = np.random.default_rng(5)
    frames = observed(rng, missing=0.0, strays=0.0)
    bent = [
        Rotation.random(rng=rng).apply(PROBE_MM + [[0, 0, 0], [0, 0, 0], [0, 6, 0], [0, 0, 9.0]]) for _ in range(120)
    ]
    with pytest.raises(LayoutRefusedError, match=r"do not lie as in the others|a residual"):
        solve_layout([*frames[:60], *bent[:60], *[Rotation.random(rng=rng).apply(PROBE_MM * 1.1) for _ in range(60)]])


def test_tools_that_share_a_triangle_are_said_with_their_distances() -> None:
    twin = np.vstack([Rotation.from_euler("xyz", [20, 30, 40], degrees=True).apply(PROBE_MM[:3]), [[90.0, 10.0, 5.0]]])
    worst = confusions(PROBE_MM, twin)[0]
    assert worst.spheres == ((0, 0), (1, 1), (2, 2))
    assert worst.distances_mm[0] == pytest.approx((50.0, 50.0))
    assert "spheres 1 and 1, 2 and 2, 3 and 3 lie alike to 0.00 mm" in str(worst)
    assert confusions(PROBE_MM, RIGID_BODY_MM) == []


def test_a_tool_that_fits_itself_in_another_order_is_said() -> None:
    assert confusions(RIGID_BODY_MM) == []
    square = np.array([[0.0, 0, 0], [60, 0, 0], [60, 60, 0], [0, 60, 0]])
    assert len(confusions(square)[0].spheres) == 4


def test_a_layout_lies_over_its_design_unless_it_is_mirrored_or_another() -> None:
    five = np.vstack([RIGID_BODY_MM, [31.0, 12.0, 7.0]])
    layout = solve_layout(observed(np.random.default_rng(6), five)).spheres_tool_mm
    match = laid_over(layout, five)
    np.testing.assert_allclose(layout @ match.rotation.T + match.translation_mm, five[match.point_of], atol=0.1)
    with pytest.raises(LayoutRefusedError, match="mirror image of the design"):
        laid_over(layout * [1.0, -1.0, 1.0], five)
    with pytest.raises(LayoutRefusedError, match="5 spheres of which 4 lie as in the design with 4"):
        laid_over(layout, RIGID_BODY_MM)
