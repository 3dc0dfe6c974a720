"""The client's bookkeeping: what counts as lost, what time it is, what is written down."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.clock import ManualClock
from tests.unity_bridge.harness import stylus_pose
from tests.unity_bridge.strategies import tetrahedron
from unity_bridge.client.clock_offset import ClockExchange, ClockOffset
from unity_bridge.client.poses.log import LoggedBatch, PoseLog
from unity_bridge.client.recording import load_recording, record, save_recording
from unity_bridge.errors import MalformedMessageError
from unity_bridge.poses.batch import PoseBatch, PoseBatchDecoder
from unity_bridge.poses.encoder import encode_pose_batch
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.surfaces.payload import decode_surface, encode_surface
from unity_bridge.wire.envelope import MessageType, Session, Validity

FIRST_RUN, SECOND_RUN = b"first run 123456", b"second run 12345"


def batch(sequence: int, session_id: bytes = FIRST_RUN, tools: tuple[ToolState, ...] = ()) -> PoseBatch:
    header = Session(session_id, ManualClock()).header(MessageType.POSE_BATCH, sequence, 1000 * sequence)
    message = encode_pose_batch(dataclasses.replace(header, validity=Validity.VALID), tools)
    return PoseBatchDecoder().decode(message)


def logged(sequences, log: PoseLog | None = None, session_id: bytes = FIRST_RUN) -> PoseLog:
    log = log or PoseLog(1000)
    for sequence in sequences:
        log.add(batch(sequence, session_id), 0, 0)
    return log


@given(st.sets(st.integers(1, 60), min_size=1), st.integers(0, 70))
def test_lost_is_whatever_lies_between_the_first_and_the_last_that_was_sent(arrived, sent_at_least):
    sent = max(sent_at_least, *arrived)
    log = logged(sorted(arrived))
    log.close_at(FIRST_RUN, sent)
    assert log.lost == len(set(range(min(arrived), sent + 1)) - arrived)
    assert (log.received, log.first_sequence, log.last_sequence) == (len(arrived), min(arrived), sent)


def test_a_new_run_of_the_server_counts_anew():
    log = logged([5, 6, 8])
    logged([1, 2], log, SECOND_RUN)
    log.close_at(FIRST_RUN, 100)
    assert (log.sessions, log.lost, log.first_sequence, log.last_sequence) == (2, 1, 1, 2)


@pytest.mark.parametrize("again", [3, 2])
def test_replayed_batches_are_refused(again):
    log = logged([1, 2, 3])
    with pytest.raises(MalformedMessageError, match="growing"):
        log.add(batch(again), 0, 0)
    assert log.received == 3


def test_beyond_its_limit_the_log_counts_but_keeps_no_more():
    log = logged(range(1, 11), PoseLog(4))
    assert (log.received, len(log.batches), log.newest.sequence, log.is_full) == (10, 4, 10, True)


def test_four_timestamps_by_hand():
    """Sent at 100, 10 under way, server 1000 ahead, 5 at work, 30 back: (1010 + 970) / 2 is 10 less than 1000."""
    exchange = ClockExchange()
    assert exchange.best() is None
    exchange.add(100, 1110, 1115, 145)
    assert exchange.best() == ClockOffset(offset_ns=990, error_ns=21)
    assert exchange.best().compared_ns == 145


def test_the_fastest_message_of_each_direction_counts_whichever_exchange_it_was_in():
    """There in 10 and back in 50, then there in 40 and back in 20: between 10 there and 20 back, 1000 ahead."""
    exchange = ClockExchange()
    exchange.add(0, 1010, 1010, 60)
    exchange.add(100, 1140, 1140, 160)
    assert exchange.best() == ClockOffset(offset_ns=995, error_ns=16)


def test_the_slower_half_takes_no_part():
    """Offset 0, the middles are those of 10 there and 10 back, 30 and 10, 10 and 30; one was held up for 1,000."""
    exchange = ClockExchange()
    for start, there, back in [(0, 10, 10), (10_000, 30, 10), (20_000, 10, 30), (30_000, 1000, 10)]:
        exchange.add(start, start + there, start + there, start + there + back)
    # Of four the two of 20 and 40, and the other of 40: middles 0, 10 and -10.
    assert exchange.best() == ClockOffset(offset_ns=0, error_ns=11)


def test_an_old_exchange_counts_for_less_and_a_clock_that_was_set_begins_anew():
    exchange = ClockExchange()
    exchange.add(0, 1_000_010, 1_000_010, 20)  # at most 10 ns off
    exchange.add(10**9, 10**9 + 1_000_000 + 10**6, 10**9 + 1_000_000 + 10**6, 10**9 + 2 * 10**6)
    # A second later the clocks may have run 50 us apart; the new exchange alone leaves 1 ms.
    assert exchange.best() == ClockOffset(offset_ns=1_000_000, error_ns=50_111)
    exchange.add(2 * 10**9, 10, 10, 2 * 10**9 + 20)
    assert exchange.best() == ClockOffset(offset_ns=-2 * 10**9, error_ns=11)


@given(
    offset=st.integers(-(10**15), 10**15),
    drift_ppm=st.integers(-49, 49),
    # Under way longer than the clocks run apart while the server works.
    trips=st.lists(
        st.tuples(st.integers(10**4, 10**8), st.integers(0, 10**8), st.integers(10**4, 10**8)), min_size=1, max_size=40
    ),
)
def test_the_bound_holds_however_unequal_the_two_ways_and_however_the_clocks_drift(offset, drift_ppm, trips):
    def at_server(ns):
        return ns + offset + ns * drift_ppm // 10**6

    exchange = ClockExchange(window=32)
    now = ended = 0
    for there, work, back in trips:
        arrived = now + there
        ended = arrived + work + back
        exchange.add(now, at_server(arrived), at_server(arrived + work), ended)
        now += 10**9
    best = exchange.best()
    # Two nanoseconds of rounding.
    assert abs(best.to_server_ns(ended) - at_server(ended)) <= best.error_ns + 2
    # Never wider than the round trip of the newest exchange, and what drift does to it.
    there, _, back = trips[-1]
    assert best.error_ns <= there + back + 2 + 2 * 3 * 10**8 * 50 // 10**6


@pytest.mark.parametrize("times", [(100, 200, 190, 300), (100, 200, 450, 300)])
def test_impossible_replies_are_refused(times):
    with pytest.raises(MalformedMessageError):
        ClockExchange().add(*times)


def test_a_recording_comes_back_as_it_was(tmp_path):
    stylus = ToolState(
        tool="stylus",
        to_frame="reference",
        from_frame="stylus_tip",
        validity=Validity.VALID,
        T_to_from=stylus_pose(7),
    )
    drill = ToolState(tool="drill", to_frame="reference", from_frame="drill", validity=Validity.LOST, reason="covered")
    batches = [
        LoggedBatch(batch(1, tools=(stylus, drill)), 5000, 5500),
        LoggedBatch(batch(2, SECOND_RUN, tools=(stylus,)), 6000, 6500),
    ]
    surface = decode_surface(encode_surface(tetrahedron()).data)
    path = tmp_path / "received.npz"
    save_recording(record(batches, [surface], ClockOffset(10_000, 50)), path)
    got = load_recording(path)
    assert got.tools.tolist() == ["drill", "stylus"]
    assert got.sequence.tolist() == [1, 2]
    assert got.session_id.tolist() == [FIRST_RUN.hex(), SECOND_RUN.hex()]
    assert got.capture_ns.tolist() == [1000, 2000]
    assert got.received_ns.tolist() == [15_000, 16_000]
    np.testing.assert_allclose(got.latency_ms, [14_500 / 1e6, 14_500 / 1e6])
    assert got.validity.tolist() == [["lost", "valid"], ["", "valid"]]
    assert got.reason.tolist() == [["covered", ""], ["", ""]]
    assert np.isnan(got.position_m[:, 0]).all()
    assert np.isnan(got.rotation_xyzw[:, 0]).all()
    # stylus_pose(7) is at (7, 14, -3) mm without rotation.
    np.testing.assert_allclose(got.position_m[:, 1], [[-0.007, -0.003, -0.014]] * 2, atol=1e-8)
    np.testing.assert_array_equal(got.rotation_xyzw[:, 1], [[0, 0, 0, 1]] * 2)
    np.testing.assert_array_equal(got.surfaces[0].surface.vertices_m, surface.surface.vertices_m)
    np.testing.assert_array_equal(got.surfaces[0].surface.triangles, surface.surface.triangles)
    assert (got.surfaces[0].surface.name, got.surfaces[0].surface.frame) == ("tetrahedron", "ct")


def test_an_empty_recording_is_one_too(tmp_path):
    save_recording(record([], [], ClockOffset(0, 0)), tmp_path / "empty.npz")
    assert load_recording(tmp_path / "empty.npz").position_m.shape == (0, 0, 3)


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all", b"\x93NUMPY\x01\x00"])
def test_what_is_no_recording_is_refused(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(MalformedMessageError):
        load_recording(path)
