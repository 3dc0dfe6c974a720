"""The timeline of one tool: what was observed of it when, and its pose at any time in between."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from navigation.devices.frame_order import LOST_AFTER_MS, MAX_AHEAD_MS, STALE_AFTER_MS
from navigation.devices.tracker import ToolObservation, Visibility
from navigation.live.timeline.between import between

_NS_PER_MS = 1_000_000
# Twice the age after which a pose is lost, so that what is slow still finds what was seen at its time.
KEPT_NS = round(2.0 * LOST_AFTER_MS * _NS_PER_MS)
# What lies between two observations further apart than a pose may be old was seen by nobody.
LONGEST_GAP_NS = round(STALE_AFTER_MS * _NS_PER_MS)
MAX_AHEAD_NS = round(MAX_AHEAD_MS * _NS_PER_MS)
# A tracker at 1,000 Hz fills half a second with as many; a faster one has a shorter memory.
MOST_KEPT = 512

NEVER_SEEN = ToolObservation(Visibility.NO_DATA, reason="not seen yet")


class Timeline:
    """The observations of one tool over the last half second, by the time of capture.

    Visible or not: between a pose and an occlusion there is no pose. Nothing is extrapolated here.

    Attributes:
        refused: observations that were repeated, older than all that is kept, or stamped too far in the future.
    """

    def __init__(self) -> None:
        self.refused = 0
        self._kept: deque[tuple[int, ToolObservation]] = deque()

    @property
    def newest_ns(self) -> int | None:
        """The time of the newest observation; None before the first."""
        return self._kept[-1][0] if self._kept else None

    @property
    def newest(self) -> ToolObservation:
        """The newest observation, visible or not."""
        return self._kept[-1][1] if self._kept else NEVER_SEEN

    def __len__(self) -> int:
        return len(self._kept)

    def note(self, seen: ToolObservation, capture_ns: int, now_ns: int) -> bool:
        """Takes in an observation in any order; returns whether it was new.

        Args:
            capture_ns: when the sensor saw it. Of two observations of one time the first counts.
            now_ns: the time on the same clock. What is stamped too far in its future is refused: one such stamp would
                make all later observations look old.
        """
        kept = self._kept
        if capture_ns - now_ns > MAX_AHEAD_NS:
            self.refused += 1
            return False
        if not kept or capture_ns > kept[-1][0]:
            kept.append((capture_ns, seen))
            while len(kept) > MOST_KEPT or capture_ns - kept[0][0] > KEPT_NS:
                kept.popleft()
            return True
        place = self._place(capture_ns)
        if place == 0 or kept[place - 1][0] == capture_ns:
            self.refused += 1
            return False
        kept.insert(place, (capture_ns, seen))
        if len(kept) > MOST_KEPT:
            kept.popleft()
        return True

    def at(self, instant_ns: int) -> ToolObservation:
        """What was observed of the tool at an instant, between observations by interpolation.

        Returns:
            An observation with the time `instant_ns`, or one that is not visible and says why: the tool was hidden, the
            instant is before all that is kept, after the newest, or in a gap.
        """
        kept = self._kept
        if not kept:
            return NEVER_SEEN
        newest_ns, newest = kept[-1]
        if instant_ns == newest_ns:
            return newest
        if instant_ns > newest_ns:
            return _absent(f"last seen {(instant_ns - newest_ns) / _NS_PER_MS:.0f} ms before")
        place = self._place(instant_ns)
        if place == 0:
            return _absent("not seen yet, or too long ago")
        before_ns, before = kept[place - 1]
        if before_ns == instant_ns:
            return before
        after_ns, after = kept[place]
        return _between(before, after, instant_ns, before_ns, after_ns)

    def observed_ns(self, instant_ns: int) -> int | None:
        """The time of the newest observation that is not later, and no older than a gap; None without one."""
        place = self._place(instant_ns)
        observed_ns = self._kept[place - 1][0] if place else None
        return None if observed_ns is None or instant_ns - observed_ns > LONGEST_GAP_NS else observed_ns

    def _place(self, instant_ns: int) -> int:
        """How many of the observations are not later than `instant_ns`; from the newest on, which is nearest."""
        place = len(self._kept)
        for capture_ns, _ in reversed(self._kept):
            if capture_ns <= instant_ns:
                break
            place -= 1
        return place


def _between(
    before: ToolObservation, after: ToolObservation, instant_ns: int, before_ns: int, after_ns: int
) -> ToolObservation:
    if before.T_tracker_tool is None or after.T_tracker_tool is None:
        return before if before.T_tracker_tool is None else after
    if after_ns - before_ns > LONGEST_GAP_NS:
        return _absent(f"not seen for {(after_ns - before_ns) / _NS_PER_MS:.0f} ms around that time")
    share = (instant_ns - before_ns) / (after_ns - before_ns)
    placed = after.T_tracker_reference
    if before.T_tracker_reference is None or placed is None:
        pose = between(before.T_tracker_tool, after.T_tracker_tool, share)
    else:
        # Seen from the reference: between two places there, wherever the reference was meanwhile.
        ends = (before.T_tracker_reference.inverse() @ before.T_tracker_tool, placed.inverse() @ after.T_tracker_tool)
        within = between(*ends, share)
        pose = None if within is None else placed @ within
    if pose is None:
        return _absent("turned too far between two observations")
    covariance = None
    if before.covariance is not None and after.covariance is not None:
        # Errors of neighbouring observations hang together, so that they do not average out in between.
        covariance = (1.0 - share) * before.covariance + share * after.covariance
    fits_mm = [each.fit_rms_mm for each in (before, after) if each.fit_rms_mm is not None]
    return replace(
        before,
        T_tracker_tool=pose,
        fit_rms_mm=max(fits_mm, default=None),
        capture_ns=instant_ns,
        covariance=covariance,
        T_tracker_reference=placed,
    )


def _absent(why: str) -> ToolObservation:
    return ToolObservation(Visibility.NO_DATA, reason=why)
