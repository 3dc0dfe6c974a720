"""What a fit says beyond its unknowns: scale and drift; and the limits that its numbers must hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from calibration.hand_eye.covariance import autocorrelation
from calibration.hand_eye.errors import HandEyeRefusedError
from calibration.hand_eye.model import Z_PART
from calibration.hand_eye.refine import Fit, whitened, whitened_jacobian
from calibration.hand_eye.settings import HandEyeSettings
from geometry.points import Floats

if TYPE_CHECKING:
    from calibration.hand_eye.hand_eye import HandEyeCalibration

# A scale or a drift that is this many standard deviations off is no accident.
_SURE = 5.0


def scale_of(fit: Fit) -> tuple[float, float]:
    """One mm of the eye's device in mm of the hand's, by a step from 1, and its standard deviation."""
    used = fit.pairs.part(fit.used)
    turned = np.swapaxes(used.eye[:, :3, :3], 1, 2)
    extra = np.zeros((len(used), 6, 1))
    # The residual's translation is R_B' R_Z' (t_P - s R_Z t_B - t_Z): its derivative by s is -R_B' t_B.
    extra[:, 3:, 0] = -np.einsum("nij,nj->ni", turned, used.eye[:, :3, 3])
    step, covariance = _with_more(fit, whitened(extra[:, :, 0], fit.scatter)[:, :, None])
    return 1.0 + float(step[0]), float(np.sqrt(covariance[0, 0]))


def drift_of(fit: Fit) -> tuple[float, float]:
    """How far the world moved evenly from the first pair to the last, in mm where the hand is, and its deviation."""
    derivatives = whitened_jacobian(fit)
    when = np.linspace(-0.5, 0.5, len(derivatives))[:, None, None]
    step, covariance = _with_more(fit, derivatives[:, :, Z_PART] * when)
    place = fit.pairs.hand[fit.used, :3, 3].mean(axis=0)
    x, y, z = place
    at_place = np.hstack([[[0.0, z, -y], [-z, 0.0, x], [y, -x, 0.0]], np.eye(3)])
    shift = at_place @ step - np.cross(step[:3], fit.z[:3, 3])
    change = at_place.copy()
    zx, zy, zz = fit.z[:3, 3]
    change[:, :3] -= [[0.0, zz, -zy], [-zz, 0.0, zx], [zy, -zx, 0.0]]
    length = float(np.linalg.norm(shift))
    along = shift / max(length, 1e-12)
    return length, float(np.sqrt(max(along @ change @ covariance @ change.T @ along, 0.0)))


def _with_more(fit: Fit, whitened_extra: Floats) -> tuple[Floats, Floats]:
    """The step of further unknowns beside all others, from their whitened derivatives, and its covariance.

    The covariance is that of what they leave, which no longer holds what they explain.
    """
    root = np.sqrt(fit.weights[fit.used])[:, None, None]
    rows = np.concatenate([whitened_jacobian(fit), whitened_extra], axis=2) * root
    rows = rows.reshape(-1, rows.shape[2])
    right = (whitened(fit.errors[fit.used], fit.scatter)[:, :, None] * root).reshape(-1)
    size = 1.0 / np.maximum(np.linalg.norm(rows, axis=0), 1e-12)
    inverse = np.linalg.pinv((rows * size).T @ (rows * size), rcond=1e-12, hermitian=True)
    step = -inverse @ (rows * size).T @ right * size
    left = right + rows @ step
    repetition = float(2.0 * autocorrelation(left.reshape(-1, 6), rows.shape[1]).sum() - 1.0)
    noise = float(left @ left) / max(len(left) - rows.shape[1], 1)
    count = whitened_extra.shape[2]
    covariance = inverse * np.outer(size, size) * noise * repetition
    return step[-count:], covariance[-count:, -count:]


def check_scale(found: HandEyeCalibration, settings: HandEyeSettings) -> None:
    """Refuses devices that measure lengths differently, with `HandEyeRefusedError`."""
    off = abs(found.scale - 1.0)
    if off > settings.maximum_scale_error and off > _SURE * found.scale_std:
        world, eye = found.T_base_world.from_frame, found.T_hand_eye.from_frame
        raise HandEyeRefusedError(
            f"T_{world}_{eye} with translations too {'small' if found.scale > 1.0 else 'large'} by a factor of "
            f"{max(found.scale, 1.0 / found.scale):.3f} beside those of the other device",
            f"the same scale in both within {settings.maximum_scale_error:.0%}",
            "measure the squares of the board or the distances of the markers again, and the camera's focal length",
        )


def check_numbers(found: HandEyeCalibration, settings: HandEyeSettings) -> None:
    """Refuses what is not known well enough, with `HandEyeRefusedError`."""
    total = found.n_used + found.n_rejected
    if found.n_rejected > settings.maximum_rejected_fraction * total or found.n_used < settings.minimum_pairs:
        raise HandEyeRefusedError(
            f"{found.n_rejected} of {total} pairs of poses that contradict the others",
            f"at most {settings.maximum_rejected_fraction:.0%} left out, and {settings.minimum_pairs} or more used",
            "check that both bodies are fixed to one another and that no marker is taken for another, then repeat",
        )
    if (
        found.residual_rms_mm > settings.maximum_residual_rms_mm
        or found.residual_rms_rad > settings.maximum_residual_rms_rad
    ):
        raise HandEyeRefusedError(
            f"a residual of {found.residual_rms_mm:.1f} mm and {np.rad2deg(found.residual_rms_rad):.2f} degrees RMS",
            f"at most {settings.maximum_residual_rms_mm:g} mm and "
            f"{np.rad2deg(settings.maximum_residual_rms_rad):.1f} degrees",
            "check that nothing is loose, that the eye's world stood still, and that the poses are of the same moments",
        )
    error_mm, error_rad = found.expected_error_rms_mm(), found.expected_error_rms_rad
    if error_mm > settings.maximum_expected_error_rms_mm or error_rad > settings.maximum_expected_error_rms_rad:
        raise HandEyeRefusedError(
            f"a transform known to {error_mm:.1f} mm and {np.rad2deg(error_rad):.2f} degrees RMS only",
            f"at most {settings.maximum_expected_error_rms_mm:g} mm and "
            f"{np.rad2deg(settings.maximum_expected_error_rms_rad):.1f} degrees",
            "record for longer, with more poses and larger turns about all three axes",
        )
