"""What can be wrong with an ultrasound sweep of the spine that no calibration and no covariance knows of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from geometry.frames import CT
from geometry.points import Floats
from navigation.devices.ultrasound.source import GreyPixels
from tests.registration.spine_sweep import GEOMETRY

# Of four vertebrae this one stays where it is when the spine bends; a disc lies so far before the vertebrae's middles.
_FIXED, _DISC_MM = 2, 20.0
_BREATH_S = 4.0
_DECIBEL = 255.0 / 60.0  # grey values of the simulated images


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """One kind of mistake, drawn anew in each run; by default, none.

    Attributes:
        sound: how much faster or slower sound is than the scanner takes, as a share; either.
        lag_s: how far the lag is off, in s; to either side.
        breath_mm: how far breathing moves the spine under the reference, from end to end.
        echoes: layers above the bone echo to and fro, so that a weaker image lies 5 to 12 mm below the image.
        levels: between which shares of the spine's length the probe is moved.
        start_mm: how far the registration to start from is off, from least to most.
        vertebrae_up: by how many vertebrae the start is off as well, toward the head.
        bent_deg: between two vertebrae the spine is bent so far since the CT, least and most; forwards or backwards.
    """

    sound: float | None = None
    lag_s: float | None = None
    breath_mm: float = 0.0
    echoes: bool = False
    levels: tuple[float, float] = (0.0, 1.0)
    start_mm: tuple[float, float] = (0.0, 8.0)
    vertebrae_up: int = 0
    bent_deg: tuple[float, float] = (0.0, 0.0)

    def breathed(self, T_ct_image_px: Floats, t_s: float) -> Floats:
        """Where the image lies in the bone at a time, the bone having moved toward the head and forward."""
        moved = T_ct_image_px.copy()
        along = np.array([0.0, -0.6, 0.8])
        moved[:3, 3] -= 0.5 * self.breath_mm * np.sin(2.0 * np.pi * t_s / _BREATH_S) * along
        return moved


MISTAKES = {
    "none": Mistake(),
    "sound": Mistake(sound=0.02),
    "lag": Mistake(lag_s=0.02),
    "breathing": Mistake(breath_mm=2.0),
    "echoes": Mistake(echoes=True),
    "partial": Mistake(levels=(0.3, 0.6)),
    "start": Mistake(start_mm=(10.0, 20.0)),
    "level": Mistake(vertebrae_up=1),
    "bent": Mistake(bent_deg=(2.0, 5.0)),
}


def echoed(image: GreyPixels, rng: np.random.Generator) -> GreyPixels:
    """The image with its weaker echo below it, along the beams: 5 to 12 mm deeper, 6 to 12 dB weaker."""
    import cv2

    deeper_mm, weaker = rng.uniform(5.0, 12.0), _DECIBEL * rng.uniform(6.0, 12.0)
    height, width = image.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    across, deep_mm = GEOMETRY.beams(np.stack([x, y], axis=-1))
    from_px = GEOMETRY.points_px(across, deep_mm - deeper_mm).astype(np.float32)
    below = cv2.remap(image, from_px[..., 0], from_px[..., 1], cv2.INTER_LINEAR, borderValue=0).astype(np.float64)
    both = np.maximum(image, np.where(GEOMETRY.mask & (deep_mm > deeper_mm), below - weaker, 0.0))
    return both.astype(np.uint8)


def bends(bones: Sequence[Surface], angle_deg: float) -> list[Transform]:
    """Where each vertebra is when each is turned so far forward on the disc below it: from ``ct`` to ``ct``."""
    middles = [each.vertices_mm.mean(axis=0) - [0.0, _DISC_MM, 0.0] for each in bones]
    found = [Transform(np.eye(4), CT, CT)] * len(bones)
    for step, numbers in ((-1, range(_FIXED - 1, -1, -1)), (1, range(_FIXED + 1, len(bones)))):
        for number in numbers:
            # Backward is +y and headward +z: a vertebra that turns forward on the one below turns about +x.
            turned = Rotation.from_rotvec([-step * np.deg2rad(angle_deg), 0.0, 0.0])
            disc = 0.5 * (middles[number] + middles[number - step])
            about = Transform.from_rotation(turned, disc - turned.apply(disc), CT, CT)
            found[number] = found[number - step] @ about
    return found


def bent(bones: Sequence[Surface], moved: Sequence[Transform]) -> list[Surface]:
    """The vertebrae, each where it was moved to."""
    return [
        Surface(motion.apply(each.vertices_mm), each.triangles, each.frame, each.name)
        for each, motion in zip(bones, moved, strict=True)
    ]
