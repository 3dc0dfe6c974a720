"""Whether a CT's values are Hounsfield units, told from where air, lung, fat and soft tissue lie in their histogram.

A scan of a body has one peak for air or lung, one for fat and soft tissue about 1000 higher, and little in between;
what is denser is spread widely. In HU the two lie at -1000 to -700 and at -120 to 100. Elsewhere, but as far apart,
they are HU with an offset (1024 where the rescale was forgotten). A crop without air has the upper peak only: it
confirms nothing, and is not refused as long as that peak lies where tissue is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats

Kind = Literal["hu", "unconfirmed", "offset", "other"]

BIN = 10.0  # HU; the peaks are tens of HU wide
NOISY = 10  # different values in a peak that was measured, not drawn
FEWEST = 4_000  # fewer have no histogram to speak of
SAMPLES = 2_000_000  # voxels looked at: enough for shares of a thousandth
PADDING_BELOW = -1100.0  # what scanners write outside their round field of view
PADDING_GAP = 150.0  # a lowest value that is alone over such a gap is padding too, wherever it lies
AIR_OR_LUNG = (-1100.0, -550.0)  # where the lower peak lies in HU
AIR = (-1060.0, -940.0)  # where it confirms the zero of the scale
TISSUE = (-250.0, 300.0)  # where the upper peak lies in HU: fat to soft tissue full of contrast medium
DOUBTFUL_AIR, DOUBTFUL_TISSUE = (-1100.0, -300.0), (-250.0, 600.0)  # crops of lung or skull; cone-beam CT
APART = (800.0, 1250.0)  # between the two peaks, lung to fat at the least
OFFSETS = (1024.0, 1000.0)  # that programs forget to take away
PEAK_SHARE = 0.03  # of the voxels lie within PEAK_HALF of a peak that counts
PEAK_HALF = 100.0
COMPACT = 0.5  # of all that is denser than midway lies within TISSUE_HALF of the upper peak: bone is spread more widely
TISSUE_HALF = 160.0
FAT, MUSCLE = -100.0, 50.0
BACKGROUND, NO_NEGATIVES_BUT_DENSE = 0.01, 0.05  # shares at 0 and above 300: with nothing below 0, no body in HU


@dataclass(frozen=True)
class Intensities:
    """Whether a scan's values are HU.

    Attributes:
        kind: ``hu``: air at -1000 and tissue at 0 confirm it; ``unconfirmed``: nothing contradicts it; ``offset``: HU
            once `offset` is subtracted; ``other``: not HU.
        air: the lower peak's value; None where there is none.
        tissue: the upper peak's value; None where there is none.
        offset: the value to subtract; 0 unless `kind` is ``offset``.
        words: the finding, in words.
    """

    kind: Kind
    air: float | None
    tissue: float | None
    offset: float
    words: str


def examine_intensities(voxels: NDArray[np.generic]) -> Intensities:
    """Examines the histogram of voxels ``(nk, nj, ni)``."""
    values = _sample(voxels)
    values = values[values >= PADDING_BELOW]
    if len(values) < FEWEST:
        return Intensities("unconfirmed", None, None, 0.0, f"too few voxels to tell the scale by ({len(values)})")
    found = _judged(values)
    rest = _without_padding(values)
    if len(rest) == len(values):
        return found
    again = _judged(rest)  # padding may lie where air would in HU; the true air above it has noise, a drawing has none
    is_measured = again.air is None or len(np.unique(rest[np.abs(rest - again.air) <= PEAK_HALF])) >= NOISY
    return again if again.kind == "offset" and is_measured else found


def _judged(values: Floats) -> Intensities:
    lower, upper = _peaks(values)
    if lower is None or upper is None:
        return _single(values, lower)
    found = f"air or lung at {lower:.0f} and soft tissue at {upper:.0f}"
    if _within(lower, AIR_OR_LUNG) and _within(upper, TISSUE):
        return Intensities("hu" if _within(lower, AIR) else "unconfirmed", lower, upper, 0.0, found)
    if _within(upper - lower, APART):
        offset = _offset(lower, upper)
        return Intensities("offset", lower, upper, offset, f"{found}, as in HU {_signed(offset)}")
    if _within(lower, DOUBTFUL_AIR) and _within(upper, DOUBTFUL_TISSUE):
        return Intensities("unconfirmed", lower, upper, 0.0, found)
    return _single(values, lower)


def _sample(voxels: NDArray[np.generic]) -> Floats:
    step = max(1, int(np.ceil((voxels.size / SAMPLES) ** (1 / 3))))
    return np.asarray(voxels[::step, ::step, ::step], np.float64).ravel()


def _without_padding(values: Floats) -> Floats:
    values = values[values >= PADDING_BELOW]
    lowest = float(values.min())
    rest = values[values > lowest]
    return rest if len(rest) > 0 and float(rest.min()) - lowest > PADDING_GAP else values


def _peaks(values: Floats) -> tuple[float | None, float | None]:
    """The lowest peak and the one of tissue above it; None for a peak that is not there."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import find_peaks

    low, high = float(values.min()), float(np.percentile(values, 99.9))
    edges = np.arange(np.floor(low / BIN) - 10, np.ceil(high / BIN) + 11) * BIN
    counts, _ = np.histogram(values, edges)
    density = gaussian_filter1d(counts / len(values), 2.0)
    places = edges[:-1] + BIN / 2
    tops, _ = find_peaks(density, prominence=0.1 * density.max() * PEAK_SHARE)
    masses = {float(places[top]): _share(values, places[top], PEAK_HALF) for top in tops}
    strong = [place for place, mass in masses.items() if mass >= PEAK_SHARE]
    if not strong:
        return None, None
    lower = min(strong)
    above = [place for place in strong if place - lower > APART[0] / 2]
    if not above:
        return lower, None
    upper = max(above, key=masses.__getitem__)
    denser = values[values > (lower + upper) / 2 - TISSUE_HALF]
    if _share(denser, upper, TISSUE_HALF) < COMPACT:
        return lower, None
    return lower, upper


def _single(values: Floats, peak: float | None) -> Intensities:
    """Judges values with one peak or none: a crop, or values that are not HU."""
    dense, background = float((values > TISSUE[1]).mean()), float((values < BIN).mean())
    magnitudes = values.min() == 0.0 and background > BACKGROUND and dense > NO_NEGATIVES_BUT_DENSE
    if magnitudes and not _is_tissue_at(values, OFFSETS[0]):
        words = f"no value below 0, but {background:.0%} at it and {dense:.0%} above {TISSUE[1]:g}"
        return Intensities("other", None, peak, 0.0, words)
    if _is_tissue_at(values, OFFSETS[0]) and float(((values > TISSUE[0]) & (values < TISSUE[1])).mean()) < 0.005:
        tissue = float(np.median(values)) if peak is None else peak
        words = f"soft tissue at {tissue:.0f} and nothing where HU have it, as in HU {_signed(OFFSETS[0])}"
        return Intensities("offset", None, tissue, OFFSETS[0], words)
    return Intensities("unconfirmed", None, peak, 0.0, "no air to confirm the scale by")


def _is_tissue_at(values: Floats, offset: float) -> bool:
    return float(((values > offset + TISSUE[0]) & (values < offset + TISSUE[1])).mean()) > COMPACT


def _offset(air: float, tissue: float) -> float:
    """The usual offset that puts both peaks in place; else the one that puts air at -1000."""
    fitting = [o for o in OFFSETS if _within(air - o, AIR_OR_LUNG) and _within(tissue - o, TISSUE)]
    if not fitting:
        return round(air + 1000.0)
    if _within(air, (12.0, 36.0)):  # air at -1000 HU, not cut off: it alone decides
        return 1024.0
    return min(fitting, key=lambda o: min(abs(tissue - o - FAT), abs(tissue - o - MUSCLE)))


def _share(values: Floats, place: float, half: float) -> float:
    return float((np.abs(values - place) <= half).mean()) if len(values) else 0.0


def _within(value: float, limits: tuple[float, float]) -> bool:
    return limits[0] <= value <= limits[1]


def _signed(offset: float) -> str:
    return f"{'+' if offset > 0 else '-'} {abs(offset):g}"
