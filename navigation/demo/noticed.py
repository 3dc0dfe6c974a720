"""What the system noticed of a scenario, and what not: what the client was shown during each event, and the truth."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

import numpy as np

from geometry import Transform
from geometry.points import Bools, Floats
from navigation.live.pose_graph import PATIENT
from navigation.simulation.operating_room import OperatingRoom
from navigation.simulation.scenario import Event
from unity_bridge.client.recording import ClientRecording, Texts

# An error above it, shown as valid, would mislead; below it lie registration, tracker and hand together.
MISLEADING_MM = 5.0
# A tool that is shown as valid for less than this share of what it was before has been withdrawn.
_WITHDRAWN = 0.5


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One event of a scenario, and what the client was shown of the stylus on the patient while it was on.

    Attributes:
        kind: of the event.
        from_s, to_s: since the beginning of the scenario; `to_s` None if it lasted.
        expected: what ought to be noticed; empty if nothing must be.
        batches: number of batches that came meanwhile.
        valid_share, usual_share: share of these batches, and of those without any event, in which stylus and patient
            were both valid.
        misleading_share: share in which they were, and the tip was more than 5 mm from where it was shown in the CT.
        error_p50_mm, error_max_mm: of the tip in the CT while valid; None if it never was.
        reasons: why it was not valid, the most frequent first.
    """

    kind: str
    from_s: float
    to_s: float | None
    expected: str
    batches: int
    valid_share: float
    usual_share: float
    misleading_share: float
    error_p50_mm: float | None
    error_max_mm: float | None
    reasons: tuple[str, ...]

    @property
    def statement(self) -> str:
        """What became of it, in a sentence."""
        if not self.batches:
            return "did not happen while the client listened"
        why = f" ({'; '.join(self.reasons)})" if self.reasons else ""
        if self.misleading_share > 0.0:
            return (
                f"NOT noticed: for {self.misleading_share:.0%} of the time the tip was shown as valid and more than "
                f"{MISLEADING_MM:g} mm off, up to {self.error_max_mm:.1f} mm{why}"
            )
        if self.valid_share < _WITHDRAWN * self.usual_share:
            return f"noticed: shown as valid for {self.valid_share:.0%} of the time, and never misleading{why}"
        off = "" if self.error_max_mm is None else f", at most {self.error_max_mm:.1f} mm off"
        return f"did no harm: valid for {self.valid_share:.0%} of the time{off}{why}"

    def as_json(self) -> dict[str, object]:
        return {**vars(self), "reasons": list(self.reasons), "statement": self.statement}


def findings(
    room: OperatingRoom,
    recording: ClientRecording,
    tip_reference_mm: Floats,
    stylus: str,
    T_reference_ct: Transform | None,
) -> list[Finding]:
    """What became of each event.

    Args:
        room: the true poses, with the scenario and when it began.
        recording: what the client received.
        tip_reference_mm: ``(n, 3)`` where it was shown the tip, in ``reference``; NaN without a pose.
        T_reference_ct: the registration in force; without one nothing is shown on the patient.
    """
    scenario = room.config.scenario
    if scenario is None:
        return []
    tools = recording.tools.tolist()
    shown = (recording.validity[:, tools.index(stylus)] == "valid") & (
        recording.validity[:, tools.index(PATIENT)] == "valid"
    )
    came_s = np.array([room.scenario_s(time_ns) for time_ns in recording.received_ns.tolist()])
    errors_mm = _errors_ct_mm(room, recording, came_s, tip_reference_mm, T_reference_ct)
    reasons = recording.reason[:, tools.index(stylus)]
    on = {id(event): np.array([event.is_on(t_s) for t_s in came_s.tolist()], bool) for _, event in scenario.events()}
    usual = ~np.any(list(on.values()), axis=0) if on else np.ones(len(shown), bool)
    usual_share = float(shown[usual].mean()) if usual.any() else 0.0
    return [
        _finding(kind, event, on[id(event)], shown, usual_share, errors_mm, reasons)
        for kind, event in scenario.events()
    ]


def _finding(
    kind: str, event: Event, on: Bools, shown: Bools, usual_share: float, errors_mm: Floats, reasons: Texts
) -> Finding:
    count = int(on.sum())
    valid = errors_mm[on & shown & np.isfinite(errors_mm)]
    said = Counter(reason for reason in reasons[on & ~shown].tolist() if reason)
    return Finding(
        kind=kind,
        from_s=event.from_s,
        to_s=event.to_s,
        expected=event.must_be_noticed,
        batches=count,
        valid_share=float(shown[on].mean()) if count else 0.0,
        usual_share=usual_share,
        misleading_share=float((valid > MISLEADING_MM).sum() / count) if count else 0.0,
        error_p50_mm=float(np.median(valid)) if len(valid) else None,
        error_max_mm=float(valid.max()) if len(valid) else None,
        # Ages in the reasons differ from batch to batch.
        reasons=tuple(dict.fromkeys(_without_numbers(reason) for reason, _ in said.most_common(20)))[:2],
    )


def _errors_ct_mm(
    room: OperatingRoom,
    recording: ClientRecording,
    came_s: Floats,
    tip_reference_mm: Floats,
    T_reference_ct: Transform | None,
) -> Floats:
    """Distance in mm of the tip as shown in ``ct`` from where it truly is, ``(n,)``; NaN where nothing is shown."""
    errors = np.full(len(came_s), np.nan)
    scenario = room.config.scenario
    if T_reference_ct is None or scenario is None:
        return errors
    shown_ct = T_reference_ct.inverse().apply(tip_reference_mm)
    for row, (capture_ns, t_s) in enumerate(zip(recording.capture_ns.tolist(), came_s.tolist(), strict=True)):
        jump_ms = sum(each.jump_ms for each in scenario.clock_jump if each.is_on(t_s))
        true_ct = room.tip_ct_mm(capture_ns - round(jump_ms * 1e6))
        if true_ct is not None:
            errors[row] = np.linalg.norm(shown_ct[row] - true_ct)
    return errors


def _without_numbers(reason: str) -> str:
    return re.sub(r"[0-9]+", "...", reason)
