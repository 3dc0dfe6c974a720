"""How an image lies in its probe, in words, and whether it was mirrored on its way from the scanner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from calibration.ultrasound_probe.image_map import ImageToProbe
from geometry.points import Floats

_AXES = ("x", "y", "z")


@dataclass(frozen=True, eq=False)
class ProbeAxes:
    """What is known of the probe before it is calibrated; nothing, by default.

    A plane that was mirrored within itself is as good a plane: no calibration shows a flip of left and right, and
    none of top and bottom, unless it is known to which sides of its marker the probe looks.

    Attributes:
        marked: from the middle of the transducer to its marked side, in the probe's frame, ``(3,)``, any length;
            roughly is enough. An image in PLUS's orientation MF has its x there.
        far: away from the transducer into the patient, in the probe's frame, ``(3,)``; y of such an image.
    """

    marked: Floats | None = None
    far: Floats | None = None


def image_flips(image_map: ImageToProbe, axes: ProbeAxes) -> tuple[str, ...]:
    """Which exchanges an image has against `axes`: "left and right", "top and bottom", both, or none."""
    found = []
    for column, wanted, what in ((0, axes.marked, "left and right"), (1, axes.far, "top and bottom")):
        if wanted is not None and float(image_map.columns_mm[:, column] @ np.asarray(wanted, np.float64)) < 0.0:
            found.append(what)
    return tuple(found)


def said_orientation(image_map: ImageToProbe, axes: ProbeAxes) -> tuple[str, ...]:
    """Where the image's axes point in the probe, and its flips or what keeps them unknown, as sentences."""
    x, y = (_direction(image_map.columns_mm[:, column]) for column in (0, 1))
    sentences = [f"image x points along {x} of the probe's marker, image y (depth) along {y}"]
    flips = image_flips(image_map, axes)
    if flips:
        sentences.append(f"the image is mirrored: it exchanges {' and '.join(flips)}")
    unknown = [
        side for side, wanted in (("left and right", axes.marked), ("top and bottom", axes.far)) if wanted is None
    ]
    if unknown:
        sentences.append(
            f"whether the image exchanges {' or '.join(unknown)} was not judged: state the probe's marked side and "
            "its direction of view"
        )
    return tuple(sentences)


def _direction(vector: Floats) -> str:
    axis = int(np.argmax(np.abs(vector)))
    off_rad = float(np.arccos(np.clip(abs(vector[axis]) / np.linalg.norm(vector), 0.0, 1.0)))
    sign = "+" if vector[axis] > 0.0 else "-"
    return f"{sign}{_AXES[axis]} ({np.rad2deg(off_rad):.0f} degrees off)"
