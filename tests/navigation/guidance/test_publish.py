"""Guidance behind the pose batches: how often, with which numbers, and that nothing in it stops the poses."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from geometry.clock import ManualClock
from geometry.errors import SurgNavError
from navigation.guidance.desk import GuidanceDesk
from navigation.guidance.guide import Guide
from navigation.guidance.new_plan import GuidanceSetup, PlanShelf
from navigation.guidance.news import GuidanceNews, GuidanceReporter
from navigation.guidance.plan import SurgicalPlan, Trajectory
from navigation.guidance.publish import READING, Aim, GuidancePublisher
from tests.navigation.guidance.harness import BALL_CT, LEFT, MS, bone, driver, patient, plan
from unity_bridge.wire.envelope import Session, Validity
from unity_bridge.wire.messages import Guidance, GuidancePlan, decode_message

SESSION = Session(bytes(range(16)), ManualClock(0, "room"))
SETUP = GuidanceSetup(plan=plan(), tools={"driver": True})
STATES = [driver([2.0, 0.0, 10.0]), patient()]
IN_FRONT = BALL_CT - [0.0, 0.0, 13.0]  # 3 mm in front of the vessel


RIGHT = Trajectory("right", LEFT.entry_ct_mm - [30.0, 0.0, 0.0], LEFT.target_ct_mm - [30.0, 0.0, 0.0])

BOTH = GuidanceSetup(plan=SurgicalPlan((LEFT, RIGHT), (), bone()), tools={"driver": True}, followed="left")


class Sent:
    def __init__(self, setup: GuidanceSetup | None = SETUP) -> None:
        self.bytes: list[bytes] = []
        self.publisher = GuidancePublisher(setup, SESSION, self.bytes.append)

    def of(self, kind: type) -> list[tuple]:
        return [(header, what) for header, what in map(decode_message, self.bytes) if isinstance(what, kind)]


@pytest.mark.parametrize(("rate_hz", "expected"), [(20, 20), (60, 60), (100, 50), (1000, 67)])
def test_some_batches_are_guided_by_whatever_the_trackers_rate(rate_hz: int, expected: int) -> None:
    sent = Sent()
    for number in range(rate_hz):
        sent.publisher.after(STATES, round(number * 1e9 / rate_hz))
    assert len(sent.of(Guidance)) == expected
    assert len(sent.of(GuidancePlan)) == 1


def test_each_type_is_counted_by_itself_and_stamped_with_the_batchs_capture() -> None:
    sent = Sent()
    for number in range(150):
        sent.publisher.after(STATES, number * 20 * MS)
    headers = [header for header, _ in sent.of(Guidance)]
    assert [header.sequence for header in headers] == list(range(1, 151))
    assert [header.capture_ns for header in headers] == [number * 20 * MS for number in range(150)]
    assert [header.sequence for header, _ in sent.of(GuidancePlan)] == [1, 2, 3]
    (tool,) = sent.of(Guidance)[0][1].tools
    assert (tool.tool, tool.validity, tool.lateral_mm) == ("driver", Validity.VALID, pytest.approx(2.0))


def test_the_same_batches_give_the_same_bytes() -> None:
    one, other = Sent(), Sent(pickle.loads(pickle.dumps(SETUP)))
    for number in range(30):
        for sent in (one, other):
            sent.publisher.after([driver([0.1 * number, 0.0, number]), patient()], number * 10 * MS)
    assert one.bytes == other.bytes


def test_a_clock_that_is_set_back_does_not_silence_it() -> None:
    sent = Sent()
    for capture_ns in (5_000 * MS, 1_000 * MS, 1_010 * MS, 1_020 * MS):
        sent.publisher.after(STATES, capture_ns)
    assert [header.capture_ns // MS for header, _ in sent.of(Guidance)] == [5_000, 1_000, 1_020]


def test_orders_take_effect_with_the_next_batch() -> None:
    sent = Sent(BOTH)
    sent.publisher.after(STATES, 0)
    sent.publisher.take(Aim(followed="right"))
    sent.publisher.after(STATES, 1 * MS)
    sent.publisher.take(Aim(problem="the plan has changed"))
    sent.publisher.after(STATES, 2 * MS)
    assert [what.followed for _, what in sent.of(GuidancePlan)] == ["left", "right", ""]
    assert sent.of(GuidancePlan)[-1][1].problem == "the plan has changed"
    tools = [what.tools[0] for _, what in sent.of(Guidance)]
    assert [tool.trajectory for tool in tools] == ["left", "right", ""]
    assert [tool.lateral_mm for tool in tools] == [pytest.approx(2.0), pytest.approx(32.0), None]
    assert (tools[-1].validity, tools[-1].reason) == (Validity.LOST, "the plan has changed")


def test_an_error_in_the_guidance_is_its_reason_and_the_poses_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise SurgNavError("a grid with gaps", "one without", "build it anew")

    monkeypatch.setattr(Guide, "guide", broken)
    sent = Sent()
    sent.publisher.after(STATES, 0)
    (tool,) = sent.of(Guidance)[0][1].tools
    assert (tool.validity, tool.reason) == (Validity.LOST, "no guidance: a grid with gaps")


def test_news_waits_for_its_answer_and_tells_alerts_at_once() -> None:
    told: list[GuidanceNews] = []
    reporter, sent = GuidanceReporter(told.append), Sent()
    sent.publisher.after(STATES, 0)
    reporter.report(sent.publisher.states, 0)
    sent.publisher.after([driver(IN_FRONT), patient()], 20 * MS)
    reporter.report(sent.publisher.states, 20 * MS)
    assert len(told) == 1, "the first was not answered yet"
    reporter.taken()
    reporter.report(sent.publisher.states, 21 * MS)
    assert len(told) == 2, "the alert, at once"
    reporter.taken()
    reporter.report(sent.publisher.states, 900 * MS)
    assert len(told) == 2, "nothing new within a second"
    reporter.report(sent.publisher.states, 1_100 * MS)
    assert len(told) == 3


def test_the_desk_tells_clients_each_rise_and_the_end_of_an_alert() -> None:
    notices, orders = [], []
    desk, sent = GuidanceDesk(SETUP, notices.append, orders.append), Sent()
    tips = [[0.0, 0.0, 0.0], BALL_CT - [0.0, 0.0, 15.0], IN_FRONT, BALL_CT, IN_FRONT, [0.0, 0.0, 0.0]]
    for number, tip in enumerate(tips):
        sent.publisher.after([driver(tip), patient()], number * 20 * MS)
        desk.take(GuidanceNews(sent.publisher.states))
    assert [(notice.kind, notice.name) for notice in notices] == [
        ("guidance_alert", "vessel"),  # caution
        ("guidance_alert", "vessel"),  # warning
        ("guidance_alert", "vessel"),  # breach
        ("guidance_clear", "vessel"),
    ]
    assert "driver, breach: -1" in notices[2].reason
    lines = list(desk.lines())
    assert [line for line, is_bad in lines if is_bad] == [
        f"ALERT vessel: {notice.reason}" for notice in notices if notice.kind == "guidance_alert"
    ]
    assert "0.0 mm beside left, 40.0 mm to go" in lines[0][0]
    assert not list(desk.lines())
    desk.follow("nothing of that name")
    desk.follow("left")
    desk.follow("left")
    desk.withdraw("the plan has changed")
    desk.withdraw("the plan has changed")
    assert orders == [Aim(followed="left"), Aim(problem="the plan has changed")]


def read(sent: Sent, capture_ns: int) -> None:
    """Steps until the new plan was read."""
    reader = sent.publisher._reader
    while not reader.is_done:
        sent.publisher.after(STATES, capture_ns)
    sent.publisher.after(STATES, capture_ns + 20 * MS)


@pytest.mark.parametrize("before", [SETUP, None])
def test_a_new_plan_guides_from_when_it_was_read_and_the_old_one_no_more(
    before: GuidanceSetup | None, tmp_path: Path
) -> None:
    sent, slow = Sent(before), tmp_path / "slow"
    os.mkfifo(slow)  # nothing can be read there until something is written
    sent.publisher.after(STATES, 0)
    sent.publisher.take(Aim(new_plan=str(slow)))
    first = len(sent.of(Guidance))
    sent.publisher.after(STATES, 20 * MS)
    meanwhile = [what.tools[0] for _, what in sent.of(Guidance)[first:]]
    assert [(tool.validity, tool.reason) for tool in meanwhile] == ([(Validity.LOST, READING)] if before else [])
    slow.write_bytes(pickle.dumps(BOTH))
    read(sent, 40 * MS)
    (tool,) = sent.of(Guidance)[-1][1].tools
    assert (tool.validity, tool.trajectory) == (Validity.VALID, "left")
    assert [each.name for each in sent.of(GuidancePlan)[-1][1].trajectories] == ["left", "right"]


def test_the_desk_gives_a_new_plan_and_what_can_be_followed_in_it() -> None:
    orders: list[Aim] = []
    desk, sent = GuidanceDesk(SETUP, orders.append, orders.append), Sent()
    desk.renew(BOTH)
    assert desk.trajectories == ("left", "right")
    sent.publisher.take(orders[-1])
    read(sent, 0)
    assert sent.of(Guidance)[-1][1].tools[0].trajectory == "left"
    desk.close()


def test_what_is_chosen_while_a_new_plan_is_read_is_followed_in_it() -> None:
    shelf, sent = PlanShelf(), Sent()
    sent.publisher.take(Aim(new_plan=shelf.put(BOTH)))
    sent.publisher.take(Aim(followed="right"))
    read(sent, 0)
    assert sent.of(Guidance)[-1][1].tools[0].trajectory == "right"
    shelf.close()


def test_a_new_plan_that_cannot_be_read_guides_nobody_and_says_why() -> None:
    shelf, sent = PlanShelf(), Sent()
    path = shelf.put(BOTH)
    shelf.close()
    sent.publisher.take(Aim(new_plan=path))
    read(sent, 0)
    (tool,) = sent.of(Guidance)[-1][1].tools
    assert tool.validity is Validity.LOST
    assert "could not be read: FileNotFoundError: [Errno 2]" in tool.reason


def test_a_new_plan_that_is_withdrawn_while_it_is_read_does_not_come() -> None:
    shelf, sent = PlanShelf(), Sent()
    sent.publisher.take(Aim(new_plan=shelf.put(BOTH)))
    reader = sent.publisher._reader
    sent.publisher.take(Aim(problem="the plan has changed again"))
    while not reader.is_done:
        sent.publisher.after(STATES, 0)
    sent.publisher.after(STATES, 20 * MS)
    assert sent.of(Guidance)[-1][1].tools[0].reason == "the plan has changed again"
    shelf.close()


def test_a_lost_tool_is_told_once_and_raises_no_alert() -> None:
    notices: list = []
    desk, sent = GuidanceDesk(SETUP, notices.append, notices.append), Sent()
    for number in range(3):
        sent.publisher.after([driver([0.0, 0.0, 0.0], validity=Validity.LOST), patient()], number * 20 * MS)
        desk.take(GuidanceNews(sent.publisher.states))
    assert list(desk.lines()) == [("driver: no guidance, driver lost: covered", True)]
    assert not notices
