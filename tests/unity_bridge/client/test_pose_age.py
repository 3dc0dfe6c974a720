"""Age by the client's own clock, by hand, as docs/unity_bridge/protocol.md, section 4, rules; what a display saw."""

import dataclasses

import pytest

from geometry.clock import ManualClock
from tests.unity_bridge.harness import Server as HarnessServer
from tests.unity_bridge.harness import client_of, run_until, stylus_pose
from unity_bridge.client.clock_offset import ClockOffset
from unity_bridge.client.poses.age import AgeLimits, ShownPoses
from unity_bridge.client.poses.display_log import DisplayLog
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.poses.encoder import encode_pose_batch
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import MessageType, Session, Validity
from unity_bridge.wire.messages import Welcome

MS = 1_000_000
S = 1_000_000_000
LIMITS = AgeLimits()
SHARED = ClockOffset(0, 0)


def tool(name: str, validity: Validity, capture_ns: int | None = None) -> ToolState:
    pose = None if validity is Validity.LOST else stylus_pose(1)
    return ToolState(
        tool=name,
        to_frame="reference",
        from_frame="stylus_tip",
        validity=validity,
        T_to_from=pose,
        capture_ns=capture_ns,
        reason="" if validity is Validity.VALID else f"said to be {validity}",
    )


def batch(capture_ns: int, *tools: ToolState, validity: Validity = Validity.VALID):
    header = Session(bytes(16), ManualClock()).header(MessageType.POSE_BATCH, 1, capture_ns, validity)
    return PoseBatchDecoder().decode(encode_pose_batch(header, tools or [tool("stylus", Validity.VALID)]))


@pytest.mark.parametrize(
    ("now_ms", "validity", "reason"),
    [
        (10_000, Validity.VALID, ""),
        (10_048, Validity.VALID, ""),
        (10_050, Validity.STALE, "the newest pose is 102 ms old"),
        (10_199, Validity.LOST, "the newest pose is 251 ms old"),
    ],
)
def test_the_example_of_the_page(now_ms: int, validity: Validity, reason: str) -> None:
    offset = ClockOffset(5 * S, 2 * MS, compared_ns=now_ms * MS)
    shown = ShownPoses(batch(14_950 * MS), now_ms * MS, offset, LIMITS)
    assert shown.age_ms == pytest.approx(now_ms + 5000 + 2 - 14_950)
    stylus = shown.tools["stylus"]
    assert (shown.validity, shown.reason) == (stylus.validity, stylus.reason) == (validity, reason)
    assert (stylus.pose is None) == (validity is Validity.LOST)


def test_the_bound_grows_from_the_last_exchange_on_and_counts_as_age() -> None:
    offset = ClockOffset(0, 2 * MS, compared_ns=0)
    # 100 s later the clocks may be 5 ms further apart: 94 ms by the offset are 101 at their worst.
    shown = ShownPoses(batch(100 * S - 94 * MS), 100 * S, offset, LIMITS)
    assert shown.age_ms == pytest.approx(101.0)
    assert shown.validity is Validity.STALE
    assert ShownPoses(batch(100 * S - 94 * MS), 100 * S, SHARED, LIMITS).validity is Validity.VALID


def test_without_a_clock_nothing_is_shown_and_that_is_said() -> None:
    shown = ShownPoses(batch(0), 0, None, LIMITS)
    assert (shown.validity, shown.age_ms) == (Validity.LOST, None)
    assert shown.tools["stylus"].pose is None
    assert "age is unknown" in shown.tools["stylus"].reason


def test_a_stamp_of_the_future_is_a_clock_that_has_gone_wrong() -> None:
    assert ShownPoses(batch(1100 * MS), 1000 * MS, SHARED, LIMITS).validity is Validity.VALID
    shown = ShownPoses(batch(1101 * MS), 1000 * MS, SHARED, LIMITS)
    assert (shown.validity, shown.reason) == (Validity.LOST, "stamped 101 ms in the future: the clocks disagree")


def test_the_worst_of_message_and_age_counts_for_each_tool() -> None:
    held = batch(
        1000 * MS,
        tool("young", Validity.VALID),
        tool("suspect", Validity.SUSPECT),
        tool("stale", Validity.STALE, 700 * MS),
        tool("own", Validity.VALID, 880 * MS),
        tool("lost", Validity.LOST),
    )

    def at(now_ms: int) -> dict[str, tuple[str, str]]:
        shown = ShownPoses(held, now_ms * MS, SHARED, LIMITS)
        return {name: (each.validity.value, each.reason) for name, each in shown.tools.items()}

    assert at(1010) == {
        "young": ("valid", ""),
        "suspect": ("suspect", "said to be suspect"),
        "stale": ("lost", "the newest pose is 310 ms old"),
        "own": ("stale", "the newest pose is 130 ms old"),
        "lost": ("lost", "said to be lost"),
    }
    assert at(1101)["young"] == at(1101)["suspect"] == ("stale", "the newest pose is 101 ms old")
    assert at(1251)["lost"] == ("lost", "said to be lost")


def test_the_servers_limits_hold_and_the_usual_ones_where_it_says_none() -> None:
    said = Welcome(
        server_name="s",
        program="p",
        clock_id="c",
        rate_hz=100.0,
        last_pose_sequence=0,
        registration_id="",
        registration_validity=Validity.LOST,
    )
    assert AgeLimits.of(None) == AgeLimits.of(said) == AgeLimits(stale_after_ms=100.0, lost_after_ms=250.0)
    stricter = AgeLimits.of(dataclasses.replace(said, pose_stale_after_ms=40.0, pose_lost_after_ms=60.0))
    assert ShownPoses(batch(0), 41 * MS, SHARED, stricter).validity is Validity.STALE
    assert ShownPoses(batch(0), 61 * MS, SHARED, stricter).validity is Validity.LOST


def test_a_stream_that_stops_is_stale_and_then_lost_at_the_client() -> None:
    server = HarnessServer()
    client = client_of(server)
    run_until(server, client, lambda: client.is_ready and client.newest is not None)
    # A moment that is a client's own: the server has sent nothing since.
    clock = ManualClock(client.poses.log.newest.capture_ns, client._clock.clock_id)
    client._clock = clock
    states = []
    for _ in range(3):
        states.append(client.newest.tools["stylus"].validity)
        clock.advance_ns(130 * MS)
    assert states == [Validity.VALID, Validity.STALE, Validity.LOST]
    stricter = {"pose_stale_after_ms": 40.0, "pose_lost_after_ms": 60.0}
    client.control.welcome = dataclasses.replace(client.control.welcome, **stricter)
    assert client.age_limits == AgeLimits(stale_after_ms=40.0, lost_after_ms=60.0)
    client.control.server_clock += 1  # stamped by another clock than the one that was compared
    assert "age is unknown" in client.newest.reason
    client.close()
    server.close()


# -------------------------------------------------------------------------------------------------- what a display saw


def test_shares_and_ages_by_hand() -> None:
    """Read every 50 ms: young for two readings, then nothing comes for 300 ms, then young again."""
    log = DisplayLog(LIMITS)
    captured = {0: 0, 50: 40, 100: 40, 150: 40, 200: 40, 250: 40, 300: 40, 350: 345, 400: 395}
    for now_ms, capture_ms in captured.items():
        shown = ShownPoses(batch(capture_ms * MS), now_ms * MS, SHARED, LIMITS)
        log.note(shown, now_ms * MS, now_ms * MS)
    summary = log.summary()
    assert summary["readings"] == 9
    # Valid at ages 0, 10, 60, 5 and 5; at 110 it was stale.
    assert summary["valid_age_ms"] == {"p50": 5.0, "p99": 60.0, "max": 60.0}
    # From 0 to 140, and from 350 to 400, of 400.
    assert summary["valid_share"] == {"stylus": pytest.approx(190 / 400)}
    assert summary["too_old_share"] == pytest.approx(210 / 400)
    assert summary["longest_gap_s"] == {"stylus": pytest.approx(0.21)}
    assert summary["valid_too_old"] == 0


def test_a_client_that_shows_what_is_old_as_valid_is_found_out() -> None:
    log = DisplayLog(LIMITS)
    lax = AgeLimits(stale_after_ms=10_000.0, lost_after_ms=20_000.0)
    for now_ms in (0, 101, 3000):
        log.note(ShownPoses(batch(0), now_ms * MS, SHARED, lax), now_ms * MS, now_ms * MS)
    summary = log.summary()
    assert (summary["valid_too_old"], summary["valid_age_ms"]["max"]) == (2, 3000.0)
    assert summary["too_old_share"] == pytest.approx(2900 / 3000)


def test_time_in_which_nothing_came_counts_as_too_old() -> None:
    log = DisplayLog(LIMITS)
    log.note(None, 0, None)
    log.note(ShownPoses(batch(1000 * MS), 1000 * MS, SHARED, LIMITS), 1000 * MS, 1000 * MS)
    log.note(ShownPoses(batch(1040 * MS), 1050 * MS, SHARED, LIMITS), 1050 * MS, 1050 * MS)
    summary = log.summary()
    assert summary["too_old_share"] == pytest.approx(1000 / 1050)
    assert summary["valid_share"] == {"stylus": pytest.approx(50 / 1050)}
    assert summary["longest_gap_s"] == {"stylus": pytest.approx(1.0)}
    assert DisplayLog(LIMITS).summary()["valid_age_ms"] == {"p50": None, "p99": None, "max": None}
