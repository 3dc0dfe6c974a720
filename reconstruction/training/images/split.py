"""A split of single images that keeps neighbours together: frames of one sweep, or of one patient seen again.

Sets of pictures often come without patients' names, and frames of one sweep are nearly the same picture: one in
training and one held out would be measured as memory. So images are compared, those that look alike are put in one
group (and what looks like either of them), and whole groups are drawn.

The likeness of two images is the largest normalised cross-correlation over shifts and a few scales, after each has
been freed of its local brightness and contrast: repeated frames differ in position, depth and gain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from geometry.points import Singles
from reconstruction.network.errors import TrainingDataError

PARTS = ("training", "validation", "held_out")
SIDE, REACH = 64, 24
SCALES = (0.8, 0.9, 1.0, 1.1, 1.25)


def likeness(images: Sequence[Singles]) -> Singles:
    """Likeness of each pair of grey images 0 to 255 ``(h, w)``: ``(n, n)``, symmetric, 1 for the same image."""
    from scipy import fft

    pictures = [_normalised(image) for image in images]
    shape = (SIDE + REACH + 8,) * 2
    spectra = fft.rfft2(np.stack([_unit(p) for p in pictures]), shape)
    near = np.r_[0:REACH, shape[0] - REACH : shape[0]]
    best = np.full((len(pictures),) * 2, -1.0, np.float32)
    for scale in SCALES:
        scaled = fft.rfft2(np.stack([_unit(_scaled(p, scale)) for p in pictures]), shape).conj()
        for i, spectrum in enumerate(spectra):
            correlation = fft.irfft2(spectrum * scaled, shape)
            best[i] = np.maximum(best[i], correlation[:, near][:, :, near].max(axis=(1, 2)))
    return np.maximum(best, best.T)


def groups(similar: Singles, threshold: float) -> np.ndarray:
    """Group of each image: chains of images whose likeness is over the threshold, numbered from 0."""
    from scipy.sparse.csgraph import connected_components

    return connected_components(similar > threshold, directed=False)[1]


def draw_parts(group: np.ndarray, held_out: int, validation: int, seed: int) -> list[str]:
    """Part of each image: whole groups drawn at random until a part has its images; the largest group is trained on."""
    sizes = np.bincount(group)
    order = np.random.default_rng(seed).permutation(sizes.size)
    parts = np.full(group.size, PARTS[0], object)
    waiting = [int(g) for g in order if g != sizes.argmax()]
    for part, wanted in (("held_out", held_out), ("validation", validation)):
        while waiting and (parts == part).sum() < wanted:
            parts[group == waiting.pop()] = part
    return parts.tolist()


def read_split(path: Path) -> Mapping[str, str]:
    """Image name without suffix to its part; lines ``name,group,part``, comments after ``#``.

    Raises:
        TrainingDataError: no such file, or a line that is none of these.
    """
    return {name: part for name, _, part in _lines(path)}


def read_groups(path: Path) -> Mapping[str, str]:
    """Image name without suffix to its group, from the same file.

    Raises:
        TrainingDataError: no such file, or a line that is none of these.
    """
    return {name: group for name, group, _ in _lines(path)}


def _lines(path: Path) -> list[list[str]]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise TrainingDataError(f"no split {path.name}", "the table that the TOML names", "check its name") from error
    found = []
    for number, line in enumerate(lines, start=1):
        fields = line.partition("#")[0].strip().split(",")
        if fields == [""]:
            continue
        if len(fields) != 3 or fields[2] not in PARTS:
            raise TrainingDataError(f"{path.name}, line {number}: {line!r}", f"name,group,{'|'.join(PARTS)}", "mend it")
        found.append(fields)
    return found


def _normalised(image: Singles) -> Singles:
    from scipy.ndimage import gaussian_filter, zoom

    factor = SIDE / image.shape[0]
    small = gaussian_filter(image.astype(np.float32), 0.5 / factor)
    small = zoom(small, (SIDE / image.shape[0], SIDE / image.shape[1]), order=1)
    local = small - gaussian_filter(small, 4)
    contrast = np.sqrt(gaussian_filter((small - gaussian_filter(small, 4)) ** 2, 4))
    # 4 grey levels: black stays quiet.
    return local / (contrast + 4)


def _scaled(picture: Singles, scale: float) -> Singles:
    from scipy.ndimage import zoom

    new = zoom(picture, scale, order=1)
    missing = SIDE - new.shape[0]
    if missing >= 0:
        return np.pad(new, [(missing // 2, missing - missing // 2)] * 2)
    first = -missing // 2
    return new[first : first + SIDE, first : first + SIDE]


def _unit(picture: Singles) -> Singles:
    centred = picture - picture.mean()
    return centred / max(float(np.linalg.norm(centred)), 1e-6)
