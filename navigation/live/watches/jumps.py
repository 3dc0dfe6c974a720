"""Notices what cannot have moved so in one frame: a bumped reference, two tools taken for one another, a moved camera.

A camera that is moved moves everything that it sees in the same way, and what is shown relative to the reference does
not change. A reference that is bumped jumps alone: the registration no longer holds, and nothing that is seen later
says where the patient is now. So that doubt ends with a new registration or a touch that verifies it, or when the
reference is back within a moment, as after a frame that was measured wrongly. A patient who is turned, or a table that
is pushed, takes the reference along for longer than a bump lasts: nothing is valid meanwhile, and it is once that has
ended. A bump that takes as long is not told from it; a second reference tells it, or a touch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import acos, degrees, dist
from statistics import median

import numpy as np

from geometry.frames import REFERENCE
from geometry.points import Floats
from navigation.devices.tracker import TrackerFrame
from navigation.live.supervisor import Judgement
from unity_bridge.wire.envelope import Validity

_NS_PER_S, _NS_PER_MS = 1_000_000_000, 1_000_000
_USUAL_FRAMES = 51


@dataclass(frozen=True, kw_only=True)
class JumpSettings:
    """What counts as a jump.

    Attributes:
        longest_gap_ms: between two frames that are compared; of the reference, which rests, it may be longer, so that a
            hand that covers it while it bumps it, or a busy machine, hides nothing.
        reference_mm, reference_deg: step of the reference, which rests, above which it was bumped; ten times the
            noise of an optical tracker, and less than what a registration is good for.
        unusual: a step of the reference is a jump only if it is so many times its usual one, so that neither a device
            with more noise nor a table that is moved is taken for a bump.
        learning_frames: the reference's usual step is known after so many.
        carried_s: what moves the reference for so long carries the patient, too.
        rest_s: a motion has ended when nothing unusual was seen for so long.
        back_frames: a reference that is back for so many frames within `back_s` was never away; a tool that is back
            at all was not.
        tool_mm, tool_mm_per_s: step, and speed, of a tool that no hand can do.
        same_place_mm: two tools that exchange their places come as near as this to where the other was.
    """

    longest_gap_ms: float = 100.0
    reference_gap_ms: float = 250.0
    reference_mm: float = 2.0
    reference_deg: float = 1.0
    unusual: float = 8.0
    learning_frames: int = 20
    carried_s: float = 0.4
    rest_s: float = 0.2
    back_frames: int = 3
    back_s: float = 0.5
    tool_mm: float = 50.0
    tool_mm_per_s: float = 5000.0
    same_place_mm: float = 30.0


@dataclass(slots=True)
class _Move:
    """A tool in two frames, as matrices and as positions in mm, and the time between them."""

    before: Floats
    after: Floats
    from_mm: list[float]
    to_mm: list[float]
    gap_ns: int

    @property
    def step_mm(self) -> float:
        return dist(self.from_mm, self.to_mm)

    @property
    def turn_deg(self) -> float:
        cosine = (float(np.vdot(self.before[:3, :3], self.after[:3, :3])) - 1.0) / 2.0
        return degrees(acos(min(1.0, max(-1.0, cosine))))


class JumpWatch:
    """Satisfies `navigation.live.supervisor.Watch`.

    Args:
        leading: the tools that the camera sees which sees the reference too, the reference among them.
        standing: tools of devices whose place relative to that camera was measured once.

    Attributes:
        camera_moves: how often the camera was moved.
    """

    def __init__(
        self, leading: Collection[str], standing: Collection[str] = (), settings: JumpSettings | None = None
    ) -> None:
        self._leading, self._standing = leading, standing
        self.camera_moves = 0
        self._settings = settings or JumpSettings()
        self._last: dict[str, tuple[int, Floats, list[float]]] = {}
        self._steps: deque[tuple[float, float]] = deque(maxlen=_USUAL_FRAMES)  # of the reference, in mm and degrees
        self._motion: tuple[int, int] | None = None  # of the reference: since when, and when it was last unusual, in ns
        self._held: dict[str, Judgement] = {}
        self._swapped: dict[frozenset[str], bool] = {}  # two that exchanged places -> whether both were seen ever since
        self._from: dict[
            str, tuple[list[float], int]
        ] = {}  # where a tool was before it jumped, until when it may be back
        self._away: tuple[Floats, list[float], int, int] | None = (
            None  # where it was, until when it may be back, frames
        )

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        moves = self._moves(frame)
        reference = moves.get(REFERENCE)
        is_bumped = reference is not None and self._is_reference_jump(reference)
        if reference is not None:
            self._follow_motion(reference, frame.capture_ns)
        far = {tool for tool, move in moves.items() if tool != REFERENCE and move.step_mm > self._settings.tool_mm}
        if is_bumped or far:
            self._judge(moves, is_bumped, far, frame.capture_ns)
        if self._away is not None and reference is not None:
            self._look_back(reference, frame.capture_ns)

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        return self._held

    def hold(self, reasons: Mapping[str, str]) -> None:
        """Holds what another one held."""
        self._held.update({name: Judgement(Validity.SUSPECT, reason) for name, reason in reasons.items()})

    def vouched(self, names: Collection[str]) -> None:
        """Something else has shown that these are where they are shown: a new registration, or a touch that fits."""
        for name in names:
            self._held.pop(name, None)
        self._swapped = {pair: seen for pair, seen in self._swapped.items() if not pair & set(names)}
        if REFERENCE in names:
            self._away = self._motion = None

    def _moves(self, frame: TrackerFrame) -> dict[str, _Move]:
        moves = {}
        for tool in self._leading:
            seen = frame.tools.get(tool)
            if seen is None or seen.T_tracker_tool is None:
                continue
            captured_ns = frame.capture_ns if seen.capture_ns is None else seen.capture_ns
            matrix = seen.T_tracker_tool.matrix
            position_mm = matrix[:3, 3].tolist()
            before = self._last.get(tool)
            self._last[tool] = captured_ns, matrix, position_mm
            gap_ms = self._settings.reference_gap_ms if tool == REFERENCE else self._settings.longest_gap_ms
            if before is not None and 0 <= captured_ns - before[0] <= gap_ms * _NS_PER_MS:
                moves[tool] = _Move(before[1], matrix, before[2], position_mm, captured_ns - before[0])
            else:
                self._untrace(tool)
        return moves

    def _untrace(self, tool: str) -> None:
        """Of two that exchanged places, of which this is one, nobody knows any more when they are back."""
        self._swapped.update({pair: False for pair in self._swapped if tool in pair})

    def _is_reference_jump(self, move: _Move) -> bool:
        settings = self._settings
        if move.step_mm <= settings.reference_mm and move.turn_deg <= settings.reference_deg:
            return False
        return self._is_unusual(move, settings.reference_mm, settings.reference_deg)

    def _is_unusual(self, move: _Move, least_mm: float, least_deg: float) -> bool:
        if len(self._steps) < self._settings.learning_frames:
            return False
        # The median: a camera that was moved, or a frame that was wrong, is not usual.
        usual_mm, usual_deg = (self._settings.unusual * median(steps) for steps in zip(*self._steps, strict=True))
        return move.step_mm > max(least_mm, usual_mm) or move.turn_deg > max(least_deg, usual_deg)

    def _follow_motion(self, move: _Move, capture_ns: int) -> None:
        """Learns what is usual while the reference rests; ends the doubt once something that carried it has ended."""
        settings = self._settings
        least_mm, least_deg = settings.reference_mm, settings.reference_deg
        is_moving = self._motion is not None and self._is_unusual(move, least_mm / 2.0, least_deg / 2.0)
        # What is as far as a camera is moved is nobody's noise.
        if (
            not is_moving
            and move.step_mm < settings.unusual * least_mm
            and move.turn_deg < settings.unusual * least_deg
        ):
            self._steps.append((move.step_mm, move.turn_deg))
        if self._motion is None:
            return
        since_ns, last_ns = self._motion
        if is_moving:
            self._motion = since_ns, capture_ns
        elif capture_ns - last_ns > self._settings.rest_s * _NS_PER_S:
            self._motion = None
            if last_ns - since_ns >= self._settings.carried_s * _NS_PER_S:
                self._held.pop(REFERENCE, None)

    def _judge(self, moves: Mapping[str, _Move], is_bumped: bool, far: set[str], capture_ns: int) -> None:
        if _is_camera(moves, REFERENCE if is_bumped else min(far)):
            self.camera_moves += 1
            why = "the camera that sees the reference was moved, and the device that sees this tool was not"
            self._held.update(dict.fromkeys(self._standing, Judgement(Validity.SUSPECT, why)))
            return
        if is_bumped and REFERENCE not in self._held:
            move = moves[REFERENCE]
            why = f"it jumped by {move.step_mm:.1f} mm and {move.turn_deg:.1f} degrees: verify the registration"
            self._held[REFERENCE] = Judgement(Validity.SUSPECT, why)
            self._motion = capture_ns, capture_ns
            self._away = move.before, move.from_mm, capture_ns + round(self._settings.back_s * _NS_PER_S), 0
        exchanged = self._exchange(moves, far)
        for tool in far - exchanged:
            move = moves[tool]
            from_mm, until_ns = self._from.pop(tool, (move.to_mm, 0))
            if capture_ns <= until_ns and dist(move.to_mm, from_mm) < self._settings.same_place_mm:
                self._held.pop(tool, None)  # a frame or two were wrong
            elif move.step_mm * _NS_PER_S > move.gap_ns * self._settings.tool_mm_per_s:
                self._untrace(tool)
                if tool not in self._held:
                    why = (
                        f"it jumped by {move.step_mm:.0f} mm within {move.gap_ns / _NS_PER_MS:.0f} ms: is it this tool?"
                    )
                    self._held[tool] = Judgement(Validity.SUSPECT, why)
                    self._from[tool] = move.from_mm, capture_ns + round(self._settings.back_s * _NS_PER_S)

    def _exchange(self, moves: Mapping[str, _Move], far: set[str]) -> set[str]:
        """The tools that came to where another was, while that one came to where they were; back in sight ends it."""
        exchanged = set()
        for one in sorted(far):
            for other in sorted(far):
                if one >= other or not _is_exchange(moves[one], moves[other], self._settings.same_place_mm):
                    continue
                exchanged |= {one, other}
                pair = frozenset((one, other))
                if self._swapped.get(pair):
                    del self._swapped[pair]
                    for tool in pair:
                        self._held.pop(tool, None)
                    continue
                # Of two that were out of sight meanwhile nobody knows whether they are back, or exchanged once more;
                # nor of two of which one had jumped, as in the frame in which the camera was moved.
                self._swapped[pair] = pair not in self._swapped and not pair & self._held.keys()
                for tool, its in ((one, other), (other, one)):
                    why = f"it and {its} exchanged their places in one frame: one is taken for the other"
                    self._held[tool] = Judgement(Validity.SUSPECT, why)
                    self._from.pop(tool, None)
        return exchanged

    def _look_back(self, move: _Move, capture_ns: int) -> None:
        """Ends the doubt about a reference that is back where it was, within a moment and for some frames."""
        if self._away is None:
            return
        before, from_mm, until_ns, frames = self._away
        now = _Move(before, move.after, from_mm, move.to_mm, move.gap_ns)
        is_back = now.step_mm < self._settings.reference_mm and now.turn_deg < self._settings.reference_deg
        frames = frames + 1 if is_back else 0
        if frames >= self._settings.back_frames:
            self._held.pop(REFERENCE, None)
            self._away = None
        else:
            self._away = (before, from_mm, until_ns, frames) if capture_ns < until_ns else None


def _is_camera(moves: Mapping[str, _Move], of: str) -> bool:
    """Whether the other tools went the same way as this one: then the camera was moved, and none of them."""
    others = [move for tool, move in moves.items() if tool != of]
    if not others:
        return False
    motion = moves[of].after @ np.linalg.inv(moves[of].before)
    along = [motion @ (*move.from_mm, 1.0) for move in others]
    off_mm = median(dist(there[:3], move.to_mm) for there, move in zip(along, others, strict=True))
    return off_mm < 0.5 * median(move.step_mm for move in others)


def _is_exchange(one: _Move, other: _Move, near_mm: float) -> bool:
    return dist(one.to_mm, other.from_mm) < near_mm and dist(other.to_mm, one.from_mm) < near_mm
