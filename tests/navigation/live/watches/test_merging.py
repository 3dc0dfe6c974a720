"""What watches doubt is merged with what the supervisor sees: at once, never for the better, left on evidence only."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS
from navigation.devices.tracker import ToolObservation, TrackerFrame, Visibility
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.supervisor import Judgement, Supervisor, SupervisorSettings
from registration.record.accepted import AcceptedRegistration
from tests.navigation.live.harness import HIDDEN, MS, TOOLS, frame, seen
from unity_bridge.wire.envelope import Validity

BENT = Judgement(Validity.SUSPECT, "the tip is bent")
GRAPH = PoseGraph(registration=AcceptedRegistration(Transform(np.eye(4), REFERENCE, "ct"), "r", 1.0, "accept", "Dr"))
BADNESS = [Validity.VALID, Validity.SUSPECT, Validity.STALE, Validity.LOST]


class Doubting:
    """Holds against tools what it is told to."""

    def __init__(self) -> None:
        self.held: dict[str, Judgement] = {}
        self.noted: list[int] = []

    def note(self, frame: TrackerFrame, now_ns: int) -> None:
        self.noted.append(frame.sequence)

    def doubts(self, now_ns: int) -> Mapping[str, Judgement]:
        return self.held


def watched(watch: Doubting) -> Supervisor:
    supervisor = Supervisor(TOOLS, watches=(watch,))
    for number in range(3):
        supervisor.judge(frame(number, seen(REFERENCE), seen(STYLUS)), number * 10 * MS)
    return supervisor


def good(number: int) -> TrackerFrame:
    return frame(number, seen(REFERENCE), seen(STYLUS))


def test_a_doubt_holds_from_the_same_frame_on_and_against_that_tool_alone() -> None:
    watch = Doubting()
    supervisor = watched(watch)
    assert supervisor.judge(good(3), 30 * MS)[STYLUS].validity is Validity.VALID
    watch.held = {STYLUS: BENT}
    judged = supervisor.judge(good(4), 40 * MS)
    assert judged[STYLUS] == BENT
    assert judged[REFERENCE].validity is Validity.VALID
    assert PATIENT not in judged


def test_a_doubt_that_is_withdrawn_leaves_a_tool_to_settle_again_and_repeated_frames_settle_nothing() -> None:
    watch = Doubting()
    supervisor = watched(watch)
    watch.held = {STYLUS: BENT}
    supervisor.judge(good(3), 30 * MS)
    watch.held = {}
    assert supervisor.judge(good(3), 35 * MS)[STYLUS].reason == "settling after: the tip is bent"
    states = [supervisor.judge(good(n), n * 10 * MS)[STYLUS].validity for n in (4, 4, 4, 5, 6, 7)]
    assert states == [Validity.SUSPECT] * 4 + [Validity.VALID] * 2


def test_a_doubt_against_the_reference_holds_for_all_that_hangs_from_it_and_one_against_the_patient_for_it_alone() -> (
    None
):
    watch = Doubting()
    supervisor = watched(watch)
    watch.held = {PATIENT: Judgement(Validity.SUSPECT, "the registration is of another reference")}
    judged = supervisor.judge(good(3), 30 * MS)
    stylus, patient = GRAPH.states(good(3), judged)[1:]
    assert stylus.validity is Validity.VALID
    assert (patient.validity, patient.reason) == (Validity.SUSPECT, "the registration is of another reference")
    watch.held = {REFERENCE: Judgement(Validity.SUSPECT, "it was bumped")}
    states = GRAPH.states(good(4), supervisor.judge(good(4), 40 * MS))
    assert [state.validity for state in states] == [Validity.SUSPECT] * 3
    assert [state.reason for state in states[1:]] == ["reference suspect: it was bumped"] * 2


def test_the_patient_gets_no_better_than_the_reference_whatever_is_held_against_it() -> None:
    watch = Doubting()
    supervisor = watched(watch)
    watch.held = {PATIENT: BENT}
    judged = supervisor.judge(frame(3, HIDDEN, seen(STYLUS)), 30 * MS)
    assert (judged[PATIENT].validity, judged[PATIENT].reason) == (Validity.LOST, "reference lost: occluded")


def test_a_tool_whose_own_time_is_stale_is_no_better_under_a_reference_that_is_merely_suspect() -> None:
    """Its frame is new and the reference settles in it, but the tool in it was seen 150 ms ago."""
    supervisor = Supervisor(TOOLS, SupervisorSettings(settle_frames=2))
    pose = Transform(np.eye(4), "tracker", STYLUS)
    for number in range(2):
        old = ToolObservation(Visibility.VISIBLE, pose, 0.1, capture_ns=(1000 + 10 * number) * MS)
        supervisor.judge(TrackerFrame(number, (1000 + 10 * number) * MS, {REFERENCE: HIDDEN, STYLUS: old}), 1010 * MS)
    judged = supervisor.judge(TrackerFrame(2, 1160 * MS, {REFERENCE: seen(REFERENCE), STYLUS: old}), 1160 * MS)
    assert judged[REFERENCE].validity is Validity.SUSPECT
    assert judged[STYLUS] == Judgement(Validity.STALE, "the frame is 150 ms old")


def test_every_new_frame_is_noted_once() -> None:
    watch = Doubting()
    supervisor = watched(watch)
    for number in (3, 3, 2, 5):
        supervisor.judge(good(number), number * 10 * MS)
    supervisor.judge(None, 60 * MS)
    assert watch.noted == [0, 1, 2, 3, 5]


doubts = st.dictionaries(
    st.sampled_from([REFERENCE, STYLUS, PATIENT]),
    st.sampled_from([Judgement(each, "" if each is Validity.VALID else f"a doubt, {each}") for each in BADNESS]),
)
sights = st.sampled_from([seen(STYLUS), seen(STYLUS, fit_rms_mm=5.0), HIDDEN])


@given(st.lists(st.tuples(sights, doubts, doubts), max_size=30))
def test_nothing_is_better_than_any_watch_says_nor_than_it_was_without_watches(history: list) -> None:
    first, second = Doubting(), Doubting()
    alone, doubted = Supervisor(TOOLS), Supervisor(TOOLS, watches=(first, second))
    for number, (sight, one, other) in enumerate(history):
        first.held, second.held = one, other
        current = frame(number, seen(REFERENCE), sight)
        bare, judged = (each.judge(current, number * 10 * MS) for each in (alone, doubted))
        for name, state in judged.items():
            said = [each[name].validity for each in (bare, one, other) if name in each]
            assert BADNESS.index(state.validity) >= max(map(BADNESS.index, said), default=0)
            assert (state.reason == "") == (state.validity is Validity.VALID)
