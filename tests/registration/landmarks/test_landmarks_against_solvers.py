"""Landmark registration against independent solvers: 1,000 random cases, with mirror images and outliers among them.

Horn's quaternion for errors that are the same along all axes; for others, a general optimiser with derivatives of its
own. They must put the landmarks in the same places, wherever the best pose is defined at all.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from registration.landmarks.anisotropic import fit_anisotropic
from registration.landmarks.rigid_fit import fit_rigid
from registration.uncertainty.localisation_error import LocalisationError
from tests.registration.landmarks.harness import horn_quaternion

CASES = 1000
# Where two singular values (the smallest with the sign of a reflection) are nearly opposite, the best rotation is not
# unique: with this gap, rounding of 1e-16 leaves 1e-11 rad.
DEFINED_GAP = 1e-3


def a_case(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks in ct and in reference, ``(n, 3)`` each, coordinates up to a metre, and weights ``(n,)``."""
    count = int(rng.integers(3, 16))
    ct = rng.uniform(-100.0, 100.0, (count, 3)) + rng.uniform(-300.0, 300.0, 3)
    rotation = Rotation.random(rng=rng)
    noisy = ct + rng.uniform(0.0, 3.0) * rng.normal(size=ct.shape)
    if kind == "mirrored":
        noisy = noisy * [-1.0, 1.0, 1.0]
    if kind == "outliers":
        wrong = rng.permutation(count)[: max(1, count // 5)]
        noisy[wrong] += 80.0 * rng.normal(size=(len(wrong), 3))
    if kind == "coplanar":
        normal = rng.normal(size=3)
        normal /= np.linalg.norm(normal)
        ct = ct - np.outer((ct - ct.mean(axis=0)) @ normal, normal)
        noisy = ct + 0.5 * rng.normal(size=ct.shape)
    return ct, rotation.apply(noisy) + rng.uniform(-500.0, 500.0, 3), rng.uniform(0.2, 5.0, count)


def is_defined(ct: np.ndarray, reference: np.ndarray, weights: np.ndarray) -> bool:
    """Whether one rotation is best, by the gap between the two that compete."""
    centred_ct = ct - weights @ ct / weights.sum()
    centred_reference = reference - weights @ reference / weights.sum()
    covariance = centred_ct.T @ (weights[:, None] * centred_reference)
    singular = np.linalg.svd(covariance, compute_uv=False)
    smallest = singular[2] * np.sign(np.linalg.det(covariance))
    return bool(singular[1] + smallest > DEFINED_GAP * singular[0])


def test_a_thousand_cases_with_mirror_images_and_outliers_agree_to_a_millionth_of_a_micrometre() -> None:
    rng = np.random.default_rng(7)
    worst, compared = dict.fromkeys(("plain", "mirrored", "outliers", "coplanar"), 0.0), 0
    for number in range(CASES):
        kind = list(worst)[number % 4]
        ct, reference, weights = a_case(rng, kind)
        if not is_defined(ct, reference, weights):
            continue
        compared += 1
        rotation = horn_quaternion(ct, reference, weights)
        theirs = (ct - weights @ ct / weights.sum()) @ rotation.T + weights @ reference / weights.sum()
        apart_mm = np.linalg.norm(fit_rigid(ct, reference, weights).apply(ct) - theirs, axis=1).max()
        worst[kind] = max(worst[kind], float(apart_mm))
    said = ", ".join(f"{kind} {value:.1e} mm" for kind, value in worst.items())
    print(f"against Horn's quaternion: {compared} of {CASES} cases defined, mapped points apart by up to: {said}")
    assert compared > 0.97 * CASES
    assert max(worst.values()) < 1e-9


def whitened(error: LocalisationError, rotation: np.ndarray) -> np.ndarray:
    """Square roots of the inverse covariances of residuals, ``(n, 3, 3)``, formed here anew."""
    covariance = rotation @ error.covariance_ct_mm2 @ rotation.T + error.covariance_reference_mm2
    return np.linalg.cholesky(np.linalg.inv(covariance)).transpose(0, 2, 1)


def optimised(ct: np.ndarray, reference: np.ndarray, error: LocalisationError, start: np.ndarray) -> np.ndarray:
    """Mapped landmarks at the minimum of the same cost that SciPy's trust region finds, starting from `start`."""
    centre = ct.mean(axis=0)

    def mapped(x: np.ndarray) -> np.ndarray:
        return Rotation.from_rotvec(x[:3]).apply(ct - centre) + x[3:]

    def residuals(x: np.ndarray) -> np.ndarray:
        roots = whitened(error, Rotation.from_rotvec(x[:3]).as_matrix())
        return np.einsum("nij,nj->ni", roots, reference - mapped(x)).ravel()

    scale = np.array([1e-2, 1e-2, 1e-2, 1.0, 1.0, 1.0])
    found = least_squares(residuals, start, x_scale=scale, xtol=1e-15, ftol=1e-15, gtol=1e-15, jac="3-point")
    return mapped(found.x)


def random_covariances(rng: np.random.Generator, count: int) -> np.ndarray:
    """Ellipsoids of 0.2 to 2 mm along their axes, in any direction, ``(n, 3, 3)``."""
    axes = Rotation.random(count, rng=rng).as_matrix()
    return axes @ (rng.uniform(0.2, 2.0, (count, 3))[:, :, None] ** 2 * axes.transpose(0, 2, 1))


def test_anisotropic_cases_agree_with_a_general_optimiser() -> None:
    rng = np.random.default_rng(11)
    apart_mm = []
    for number in range(120):
        ct, reference, weights = a_case(rng, ("plain", "coplanar", "outliers")[number % 3])
        if len(ct) < 4 or not is_defined(ct, reference, weights):
            continue
        error = LocalisationError(random_covariances(rng, len(ct)), random_covariances(rng, len(ct)))
        initial = fit_rigid(ct, reference, weights)
        ours = fit_anisotropic(ct, reference, error, initial)
        # From a start of its own, a degree and a millimetre from the isotropic pose.
        rotvec = (Rotation.from_rotvec(0.01 * rng.normal(size=3)) * initial.rotation).as_rotvec()
        start = np.concatenate([rotvec, initial.apply(ct.mean(axis=0)) + rng.normal(size=3)])
        apart_mm.append(np.linalg.norm(ours.apply(ct) - optimised(ct, reference, error, start), axis=1).max())
    print(
        f"against SciPy's least squares: {len(apart_mm)} anisotropic cases, mapped points apart by a median of "
        f"{np.median(apart_mm):.1e} mm, at the most {max(apart_mm):.1e} mm"
    )
    assert len(apart_mm) > 90
    # Its derivatives are differences, good to 1e-10 of a residual; residuals of outliers reach 100 deviations.
    assert max(apart_mm) < 1e-5
