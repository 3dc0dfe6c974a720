"""How well the shifts of an image agree with those that the probe's motion predicts, for several lags."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from geometry.points import Bools, Floats

# Lags that are tried beside the calibrated one, which is in their middle.
LAGS_NS = 40_000_000 * np.arange(-6, 7)
_NOW = 6
# Of what was measured and predicted: that it belongs together, with a sign.
_LEAST_CORRELATION = 0.6
# A lag is called wrong if another leaves so much less of the motion unexplained than any that lies so far off, and
# explains so much. Of a steady motion all lags explain the same, and the noise decides which is best.
_LEAST_GAIN, _FARTHEST_NS, _LEAST_FOR_LAG = 2.0, 55_000_000, 0.85
# By how much farther or less far the image may move than predicted, where the two go together so well.
_LARGEST_SCALE, _LEAST_FOR_SCALE = 1.15, 0.95
_SIDES = ("left and right", "top and bottom")
LAG, SCALE = "lag", "scale"


@dataclass(frozen=True, eq=False)
class Agreement:
    """What shifts say of a calibration.

    Attributes:
        clear: which axes of the image, ``(2,)``, have moved enough, and together with the probe or against it.
        correlations: of each axis at the lag that fits best, ``(2,)``.
        off_ns: by how much that lag differs from the calibrated one.
        gain: how many times more of the motion is left unexplained at the calibrated lag.
        is_sharp: whether a lag far off would show.
        scale: how many times as far as predicted the image moves; NaN where that is not known.
    """

    clear: Bools
    correlations: Floats
    off_ns: float
    gain: float
    is_sharp: bool
    scale: float

    @classmethod
    def of(cls, measured: Floats, predicted: Floats, least_px: float) -> Agreement:
        """Of shifts ``(n, 2)``, and those predicted for each of `LAGS_NS`, ``(n, lags, 2)``.

        Args:
            least_px: RMS that must be predicted along an axis, or nothing is said of it.
        """
        powers = (measured**2).sum(axis=0), (predicted**2).sum(axis=0)
        correlations = np.einsum("na,nla->la", measured, predicted) / np.maximum(np.sqrt(powers[0] * powers[1]), 1e-12)
        moves = np.sqrt(powers[1][_NOW] / len(measured)) > least_px
        best = int(np.argmax((np.abs(correlations) * moves).sum(axis=1)))
        clear = moves & (np.abs(correlations[best]) >= _LEAST_CORRELATION)
        off_ns, gain, is_sharp = _lag_off(np.abs(correlations[:, clear]).mean(axis=1)) if clear.any() else (0, 1, False)
        exact = clear & (correlations[best] >= _LEAST_FOR_SCALE)
        # As long as the noise of both is small, the ratio of the sizes is not made smaller by it, as a slope is.
        scale = np.sqrt(powers[0][exact].sum() / powers[1][best][exact].sum()) if exact.any() else np.nan
        return cls(clear, correlations[best], off_ns, gain, is_sharp, float(scale))

    @property
    def faults(self) -> dict[str, str]:
        """What is wrong, by kind, in words; empty if nothing is."""
        found = {}
        for k, side in enumerate(_SIDES):
            if self.clear[k] and self.correlations[k] < 0.0:
                found[side] = f"the image exchanges {side}: it moves along with the probe, not against it"
        if self._explains and self.is_sharp and self.gain >= _LEAST_GAIN and abs(self.off_ns) >= _FARTHEST_NS:
            late = "later" if self.off_ns < 0 else "earlier"
            found[LAG] = f"the image moves {abs(self.off_ns) / 1e6:.0f} ms {late} than the calibrated lag says"
        if not np.isnan(self.scale) and not 1.0 / _LARGEST_SCALE <= self.scale <= _LARGEST_SCALE:
            found[SCALE] = f"the image moves {self.scale:.2f} times as far as the calibration says: another depth"
        return found

    @property
    def settled(self) -> frozenset[str]:
        """The kinds of faults that would show in this motion, and do not."""
        shown = {side for k, side in enumerate(_SIDES) if self.clear[k]}
        shown |= {LAG} if self.is_sharp and self._explains else set()
        shown |= set() if np.isnan(self.scale) else {SCALE}
        return frozenset(shown - self.faults.keys())

    @property
    def words(self) -> str:
        """What was compared, where nothing is wrong."""
        axes = [what for k, what in enumerate(("sideways", "in depth")) if self.clear[k]]
        lag = "at the calibrated lag" if LAG in self.settled else "too steadily to tell the lag"
        return f"moves with the probe {' and '.join(axes)}, {lag}"

    @property
    def _explains(self) -> bool:
        return bool(self.clear.any()) and float(np.abs(self.correlations[self.clear]).mean()) >= _LEAST_FOR_LAG


def _lag_off(correlations: Floats) -> tuple[float, float, bool]:
    """Where the correlations ``(lags,)`` peak, in ns; how much less is unexplained there than at the calibrated lag.

    And whether that peak is so sharp that a lag far off it would be noticed.
    """
    best = int(np.argmax(correlations))
    off_ns = float(LAGS_NS[best])
    if 0 < best < len(correlations) - 1:
        left, peak, right = correlations[best - 1 : best + 2]
        bend = left - 2.0 * peak + right
        off_ns += 0.5 * (left - right) / bend * float(LAGS_NS[1] - LAGS_NS[0]) if bend < 0.0 else 0.0
    unexplained = 1.0 - np.clip(correlations, 0.0, 1.0) ** 2
    gains = unexplained / max(float(unexplained[best]), 1e-6)
    far = np.abs(LAGS_NS - LAGS_NS[best]) > _FARTHEST_NS
    return off_ns, float(gains[_NOW]), bool((gains[far] >= _LEAST_GAIN).all())
