"""What is on offer and in force follows the case, both ways, and clients and the operator are told."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
import zmq

from case.case import Case
from geometry.clock import ManualClock
from navigation.clock import NS_PER_S
from navigation.live.offered_surfaces import LevelSettings, encode_levels
from navigation.live.offers.case_view import CaseView, view_of
from navigation.live.offers.follow import CaseFollower
from navigation.live.offers.level_maker import LevelRequest, Prepared, _prepared
from navigation.live.pose_graph import PoseGraph
from navigation.live.session_state import SessionState
from registration.record.attempts import record
from registration.record.in_force import in_force, put_in_force
from tests.registration.record.harness import GLB, MADE_BY, ORGAN, TIME, case, made  # noqa: F401 - a fixture
from tests.registration.shapes import sphere
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.errors import SurfaceRefusedError
from unity_bridge.surfaces.server import SurfaceServer, SurfaceServerSettings
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import ServerEvent, encode_message

PATIENCE_S = 120.0


class Views:
    """Stands for the watch: hands out what the test lets be seen."""

    def __init__(self) -> None:
        self.next: CaseView | None = None

    def poll(self, decided: int) -> CaseView | None:
        view, self.next = self.next, None
        return view


class Maker:
    """Stands for the process, and is done when the test says so."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.done = True
        self.problem = ""
        self._request: LevelRequest | None = None

    @property
    def is_busy(self) -> bool:
        return self._request is not None

    def start(self, request: LevelRequest) -> None:
        self.asked.append(request.name)
        self._request = request

    def poll(self) -> Prepared | None:
        if not self.done or self._request is None:
            return None
        request, self._request = self._request, None
        return Prepared(request, problem=self.problem) if self.problem else _prepared(request, LevelSettings())


class Operation:
    """A follower between a case and a real surface server."""

    def __init__(self, case: Case, research_session: bool) -> None:  # noqa: F811
        self.root = case.root
        self.clock = ManualClock()
        self.context = zmq.Context()
        self.server = SurfaceServer(
            "tcp://127.0.0.1:*",
            Session(uuid.uuid4().bytes, self.clock),
            self.context,
            SurfaceServerSettings(research_session=research_session),
        )
        self.told: list[ServerNotice] = []
        self.published: list[PoseGraph] = []
        self.state = SessionState(PoseGraph(), self.server, self.published.append, self.told.append, print)
        self.views, self.maker = Views(), Maker()
        self.follower = CaseFollower(self.views, self.maker, self.state, self.clock, research_session=research_session)

    def look(self, view: CaseView | None = None) -> list[str]:
        """What the operator is told when the case is seen as it is now, and again when surfaces are ready."""
        lines = []
        for _ in range(2):
            self.views.next = view or view_of(Case.open(self.root))
            lines += [news.line for news in self.follower.poll()]
            self.clock.advance_ns(NS_PER_S // 2)
        return lines

    def kinds(self) -> list[str]:
        kinds = [happening.kind for happening in self.told]
        self.told.clear()
        return kinds

    def close(self) -> None:
        self.server.close()
        self.context.term()


@pytest.fixture
def operation(case: Case, request: pytest.FixtureRequest) -> Iterator[Operation]:  # noqa: F811
    with closing(Operation(case, getattr(request, "param", False))) as operation:
        yield operation


def decide(operation: Operation, decision: str, person: str = "Dr Test", structure: str = "organ") -> None:
    Case.open(operation.root).decide(structure, decision, person, TIME)


# ------------------------------------------------------------------------------------------------------------- surfaces
def test_a_case_with_nothing_approved_says_so_and_an_approval_counts_at_once(operation: Operation) -> None:
    assert operation.look() == [
        "'organ': not on offer: nobody has approved it",
        "No surface is on offer: approve one in the case: surgnav review",
        "The patient is not shown: no registration of this case is in force (surgnav register)",
    ]
    assert operation.look() == []
    assert operation.maker.asked == ["organ"]  # ahead of the decision
    decide(operation, "approved")
    operation.views.next = view_of(Case.open(operation.root))
    assert [news.line for news in operation.follower.poll()] == ["'organ': on offer, approved by Dr Test"]
    assert len(operation.server.hashes) == 1
    [told] = operation.told
    assert (told.kind, told.name, told.person) == ("surface_approved", "organ", "Dr Test")
    assert told.sha256 == operation.server.hashes[0]


@pytest.mark.parametrize("operation", [True], indirect=True)
def test_what_is_measured_now_is_no_matter_of_the_case(operation: Operation) -> None:
    levels = encode_levels(replace(sphere(20.0, 3), name="ultrasound sweep"))
    operation.state.offer_measured(levels)
    operation.look()
    assert levels[-1].payload.sha256 in operation.server.hashes
    assert operation.state.offered == {"organ": operation.state.offered["organ"]}
    assert operation.state.surface_on_offer("ultrasound sweep") is None, "nobody can decide on it"
    operation.kinds()
    smaller = encode_levels(replace(sphere(10.0, 3), name="ultrasound sweep"))
    operation.state.offer_measured(smaller)
    assert levels[-1].payload.sha256 not in operation.server.hashes
    operation.state.withdraw_measured("ultrasound sweep", "another has begun")
    operation.state.withdraw_measured("ultrasound sweep", "it is gone already")
    assert smaller[-1].payload.sha256 not in operation.server.hashes
    assert [(told.kind, told.reason) for told in operation.told] == [
        ("surface_offered", ""),
        ("surface_withdrawn", "another has begun"),
    ]


def test_outside_a_research_session_what_is_measured_is_not_offered(operation: Operation) -> None:
    with pytest.raises(SurfaceRefusedError):
        operation.state.offer_measured(encode_levels(replace(sphere(20.0, 3), name="ultrasound sweep")))
    assert operation.server.hashes == ()
    assert operation.told == []


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda op: decide(op, "rejected", "Dr Other"), "rejected by Dr Other"),
        (lambda op: (op.root / GLB).unlink(), "its file is missing"),
        (lambda op: os.truncate(op.root / GLB, 100), "its file is not the one that was made: it was altered"),
        (
            lambda op: (op.root / GLB).write_bytes((op.root / "surfaces" / "organ.stl").read_bytes()),
            "its file is not the one that was made: it was altered",
        ),
        (
            lambda op: Case.open(op.root).add_surface(
                replace(ORGAN, vertices_mm=ORGAN.vertices_mm + 1.0), MADE_BY, made_from=()
            ),
            "what was decided was another version of it",
        ),
    ],
)
def test_a_surface_that_the_case_no_longer_vouches_for_is_withdrawn_and_comes_back(
    operation: Operation, harm, why: str
) -> None:
    decide(operation, "approved")
    operation.look()
    assert operation.kinds() == ["surface_approved"]
    before = {path: path.read_bytes() for path in (operation.root / GLB, operation.root / "case.json")}
    harm(operation)
    assert operation.look()[0] == f"'organ': not on offer: {why}"
    assert operation.server.hashes == ()
    [told] = operation.told
    assert (told.kind, told.name, told.reason) == ("surface_withdrawn", "organ", why)
    operation.told.clear()
    for path, content in before.items():
        path.write_bytes(content)
    assert operation.look()[-1] == "'organ': on offer, approved by Dr Test"
    assert operation.kinds() == ["surface_approved"]


def test_the_new_version_of_a_surface_is_offered_under_its_own_decision(operation: Operation) -> None:
    decide(operation, "approved")
    operation.look()
    before = operation.server.hashes
    case = Case.open(operation.root)  # noqa: F811
    case.add_surface(replace(ORGAN, vertices_mm=ORGAN.vertices_mm + 1.0), MADE_BY, made_from=())
    case.decide("organ", "edited", "Dr Other", TIME)
    operation.kinds()
    operation.maker.done = False
    assert operation.look() == ["'organ': preparing for headsets"]
    assert operation.server.hashes == ()  # the old one is nobody's word any more
    operation.maker.done = True
    assert operation.look() == ["'organ': on offer, edited by Dr Other"]
    assert operation.kinds() == ["surface_withdrawn", "surface_approved"]
    assert operation.server.hashes != before


def test_a_decision_by_another_person_is_told(operation: Operation) -> None:
    decide(operation, "approved")
    operation.look()
    operation.told.clear()
    decide(operation, "approved", "Dr Other")
    assert operation.look() == ["'organ': on offer, approved by Dr Other"]
    assert [(told.kind, told.person) for told in operation.told] == [("surface_approved", "Dr Other")]


@pytest.mark.parametrize("operation", [True], indirect=True)
def test_in_a_research_session_a_suggestion_is_offered_as_one(operation: Operation) -> None:
    assert operation.look()[0] == "'organ': preparing for headsets"
    assert operation.look() == []
    assert [(told.kind, told.person) for told in operation.told] == [("surface_offered", "")]
    decide(operation, "approved")
    operation.look()
    decide(operation, "rejected")
    operation.look()
    assert operation.kinds() == ["surface_offered", "surface_approved", "surface_withdrawn"]


def test_a_surface_that_cannot_be_prepared_is_said_and_tried_again_later(operation: Operation) -> None:
    decide(operation, "approved")
    operation.maker.problem = "the process that prepares surfaces ended"
    assert operation.look()[-2:] == [
        "The patient is not shown: no registration of this case is in force (surgnav register)",
        "'organ': not on offer: the process that prepares surfaces ended",
    ]
    operation.maker.problem = ""
    for _ in range(8):
        assert operation.look() == []
    assert operation.maker.asked == ["organ"]  # not again and again
    operation.clock.advance_ns(10 * NS_PER_S)
    assert operation.look() + operation.look() == ["'organ': on offer, approved by Dr Test"]
    assert operation.maker.asked == ["organ", "organ"]


def test_many_surfaces_of_one_standing_are_one_line_and_the_approved_are_prepared_first(operation: Operation) -> None:
    case = Case.open(operation.root)  # noqa: F811
    for name in ("a", "b", "c"):
        case.add_surface(replace(ORGAN, name=name), MADE_BY, made_from=())
    case.decide("c", "approved", "Dr Test", TIME)
    operation.maker.done = False
    assert operation.look()[:2] == [
        "'organ', 'a', 'b': not on offer: nobody has approved it",
        "'c': preparing for headsets",
    ]
    operation.maker.done = True
    for _ in range(5):
        operation.look()
    assert operation.maker.asked == ["c", "organ", "a", "b"]


def test_one_surface_too_many_is_said_and_takes_no_other_with_it(operation: Operation) -> None:
    operation.server._options = replace(operation.server._options, max_surfaces=1)
    case = Case.open(operation.root)  # noqa: F811
    case.add_surface(replace(ORGAN, name="second"), MADE_BY, made_from=())
    for name in ("organ", "second"):
        case.decide(name, "approved", "Dr Test", TIME)
    lines = [line for _ in range(4) for line in operation.look()]
    assert "'organ': on offer, approved by Dr Test" in lines
    assert lines[-1] == "'second': not on offer: surface number 2; expected at most 1 surfaces"
    assert list(operation.state.offered) == ["organ"]


def test_a_person_with_an_endless_name_still_approves(operation: Operation) -> None:
    decide(operation, "approved", "Dr " + "Ä" * 2000)
    operation.look()
    assert len(operation.server.hashes) == 1
    decide(operation, "rejected", "Dr " + "Ä" * 2000)
    operation.look()
    assert [len(told.person.encode()) <= 1024 and len(told.reason.encode()) <= 1024 for told in operation.told] == [
        True
    ] * 2
    for told in operation.told:
        encode_message(ServerEvent(number=1, happened_ns=0, oldest_kept=1, **vars(told)), operation.server._session, 1)


def test_a_case_of_a_whole_body_is_still_a_line_with_its_reason(operation: Operation) -> None:
    case = Case.open(operation.root)  # noqa: F811
    for number in range(57):
        case.add_surface(replace(ORGAN, name=f"rib_{number}"), MADE_BY, made_from=())
    operation.maker.done = False
    assert operation.look()[0] == (
        "'organ', 'rib_0', 'rib_1', 'rib_2', 'rib_3', 'rib_4', 'rib_5', 'rib_6' and 50 more: "
        "not on offer: nobody has approved it"
    )


# --------------------------------------------------------------------------------------------------------- registration
def test_rejecting_the_surface_under_it_takes_the_registration_out_of_force_and_back(operation: Operation) -> None:
    decide(operation, "approved")
    case = Case.open(operation.root)  # noqa: F811
    attempt, _ = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    assert any(line.startswith("registration r-0001, accept, by Dr Test, expected") for line in operation.look())
    assert operation.state.registration_id == "r-0001"
    operation.told.clear()
    decide(operation, "rejected", "Dr Other")
    lines = operation.look()
    assert operation.state.graph.registration is None
    assert operation.published[-1].registration is None
    told = {happening.kind: happening for happening in operation.told}
    assert set(told) == {"surface_withdrawn", "registration_withdrawn"}
    reason = "'organ' that it rests on was rejected by Dr Other"
    assert reason in told["registration_withdrawn"].reason
    assert told["registration_withdrawn"].registration_id == "r-0001"
    assert any(line.startswith("The patient is not shown") and reason in line for line in lines)
    decide(operation, "approved", "Dr Other")
    operation.look()
    assert operation.state.registration_id == "r-0001"


def test_a_record_accepted_anew_under_the_same_id_is_another_registration(operation: Operation) -> None:
    case = Case.open(operation.root)  # noqa: F811
    attempt, _ = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    operation.look()
    before = operation.state.graph.registration
    operation.told.clear()
    moved = attempt.model_dump(mode="json")
    moved["result"]["pose"]["matrix"][0][3] += 1.0
    changed = type(attempt).model_validate(moved)
    case.write_json("registration", "r-0001", changed.to_json(), MADE_BY, (GLB,))
    record(case, changed, "accepted", "Dr Test", TIME)
    assert in_force(case) != before
    operation.look()
    assert operation.state.graph.registration == in_force(case)
    assert operation.published[-1].registration == in_force(case)
    assert operation.kinds() == ["registration_changed"]


def test_while_the_case_cannot_be_read_all_is_withdrawn_and_it_is_back_without_being_made_anew(
    operation: Operation,
) -> None:
    decide(operation, "approved")
    case = Case.open(operation.root)  # noqa: F811
    attempt, _ = made(case)
    put_in_force(case, attempt, "Dr Test", TIME, consent=False)
    operation.look()
    view = view_of(Case.open(operation.root))
    operation.told.clear()
    assert operation.look(replace(view, trouble="away; what the case said last holds for 3 s")) == [
        "The case: away; what the case said last holds for 3 s"
    ]
    assert operation.kinds() == []
    assert operation.look(CaseView(problem="the case cannot be read", trouble="away")) == [
        "The case: away",
        "No surface is on offer: the case cannot be read",
        "The patient is not shown: the case cannot be read (surgnav register)",
    ]
    assert {(told.kind, told.reason) for told in operation.told} == {
        ("surface_withdrawn", "the case cannot be read"),
        ("registration_withdrawn", "the case cannot be read"),
    }
    operation.told.clear()
    asked = list(operation.maker.asked)
    lines = operation.look()
    assert lines[:2] == ["The case can be read again", "'organ': on offer, approved by Dr Test"]
    assert operation.kinds() == ["registration_changed", "surface_approved"]
    assert operation.maker.asked == asked


def test_a_case_that_does_not_change_is_published_and_told_once(operation: Operation) -> None:
    decide(operation, "approved")
    for _ in range(5):
        operation.look()
    assert len(operation.published) == 0
    assert operation.kinds() == ["surface_approved"]
