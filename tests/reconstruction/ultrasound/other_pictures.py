"""Pictures that are no B-mode frame of the kind that a network was trained on."""

from __future__ import annotations

import numpy as np

Pictures = list[np.ndarray]
TEXTS = (
    "Patient ID 0042",
    "Preset: Nerve",
    "Depth 4.0 cm",
    "Gain 62 %",
    "MI 0.9 TIs 0.2",
    "Print",
    "Date of birth",
    "New",
)


def photographs() -> Pictures:
    """The pictures that scikit-image brings: people, cats, coins, text, grass, a retina."""
    from skimage import data

    names = "astronaut brick camera cat cell checkerboard clock coffee coins colorwheel grass gravel horse "
    names += "hubble_deep_field immunohistochemistry logo moon page retina rocket text"
    pictures = [np.asarray(getattr(data, name)(), np.float32) for name in names.split()]
    return [(p if p.ndim == 2 else p[..., :3].mean(axis=2)).astype(np.uint8) for p in pictures]


def noise(rng: np.random.Generator) -> Pictures:
    """White noise, speckle without tissue at several grain sizes, and a scanner's noise that grows with depth."""
    from scipy.ndimage import gaussian_filter

    shape = (512, 534)
    white = [rng.integers(0, 256, shape) for _ in range(5)]
    speckle = [gaussian_filter(rng.rayleigh(40.0, shape), size) for size in (0.7, 1.0, 1.5, 2.0, 3.0)]
    scanner = [rng.rayleigh(1.0, shape) * np.linspace(2.0, most, shape[0])[:, None] for most in (20.0, 40.0, 60.0)]
    return [np.clip(picture, 0, 255).astype(np.uint8) for picture in (*white, *speckle, *scanner)]


def patterns() -> Pictures:
    """Bars, ramps and a chequerboard."""
    row, column = np.indices((512, 534))
    bars, ramp = column // 67 * 36, row // 2
    return [p.astype(np.uint8) for p in (bars, 255 - bars, ramp, 255 - ramp, column * 255 // 533)] + [
        ((row // 32 + column // 32) % 2 * 255).astype(np.uint8)
    ]


def menu(shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """A scanner's page of settings: boxes and lines of text, on a dark ground."""
    import cv2

    page = np.full(shape, rng.integers(0, 60), np.uint8)
    for _ in range(6):
        x, y = int(rng.integers(0, shape[1] - 100)), int(rng.integers(0, shape[0] - 60))
        corner = (x + int(rng.integers(60, 300)), y + int(rng.integers(30, 200)))
        cv2.rectangle(page, (x, y), corner, int(rng.integers(20, 140)), -1 if rng.random() < 0.6 else 2)
    for y in range(20, shape[0], 35):
        text, x, size = str(rng.choice(TEXTS)), int(rng.integers(0, shape[1] // 2)), float(rng.uniform(0.5, 1.0))
        cv2.putText(page, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, int(rng.integers(150, 255)), 2)
    return page


def with_menu(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A page of settings over the frame, of which its dark places let the frame through."""
    page = menu(frame.shape, rng)
    return np.where(page > 90, page, frame)


def with_colour_doppler(frame: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The frame with a box and a vessel in red to yellow, as the mean of the colours shows them in grey."""
    import cv2

    height, width = frame.shape
    x, y = rng.uniform(0.3, 0.7, 2) * (width, height)
    rx, ry = rng.uniform(0.1, 0.2) * width, rng.uniform(0.06, 0.15) * height
    row, column = np.indices(frame.shape, np.float32)
    apart = ((column - x) / rx) ** 2 + ((row - y) / ry) ** 2
    ragged = cv2.GaussianBlur(rng.standard_normal(frame.shape).astype(np.float32), (0, 0), 6)
    out = np.where(apart + 8 * ragged < 1, (255 + 200 * np.clip(1 - apart, 0, 1)) / 3, frame).astype(np.uint8)
    corners = [(round(max(x + s * 1.6 * rx, 1)), round(max(y + s * 1.8 * ry, 1))) for s in (-1, 1)]
    cv2.rectangle(out, corners[0], corners[1], 170, 2)
    return out
