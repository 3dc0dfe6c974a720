"""What is in the file at each moment, whatever happens to the disk or to the process in the next."""

import json
import os
import resource
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from navigation.clock import NS_PER_S, MonotonicClock, VirtualClock
from navigation.devices.replay.mcap_messages import McapMessages, StoredMessage
from navigation.recorder.disk import RESERVE_BYTES
from navigation.recorder.process import RecorderConfig, RecorderProcess
from navigation.recorder.tap import Kind, Tap, Tapped
from navigation.recorder.translate import Translator
from navigation.recorder.writing import RecordingWriter

EPOCH_NS = 1_700_000_000 * NS_PER_S
MS = 1_000_000
PLENTY = 1 << 40


def opened(folder: Path, clock: VirtualClock, free: Callable[[], int] = lambda: PLENTY) -> RecordingWriter:
    writer = RecordingWriter(folder, "a", Translator({}, EPOCH_NS), clock, EPOCH_NS, lambda _: free())
    writer.tick()
    return writer


def said(number: int, clock: VirtualClock, topic: str = "/said", dropped: int = 0) -> Tapped:
    data = json.dumps({"number": number, "filling": os.urandom(40).hex()}).encode()
    return Tapped(Kind.JSON, "test", topic, number, dropped, clock.now_ns(), data)


def stored(path: Path, topic: str = "/said") -> list[StoredMessage]:
    found = McapMessages(path)
    messages = [message for message in found if message.topic == topic]
    assert not found.faults
    return messages


def numbers(path: Path) -> list[int]:
    return [json.loads(message.data)["number"] for message in stored(path)]


@settings(max_examples=12)
@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 30)), min_size=30, max_size=60))
def test_at_any_moment_the_file_has_all_but_the_last_half_second(steps: list[tuple[int, int]]):
    """What the system was given survives the process. A tick comes every 50 ms at the latest."""
    with tempfile.TemporaryDirectory() as folder:
        clock = VirtualClock(5 * NS_PER_S)
        writer = opened(Path(folder), clock)
        given_ns: list[int] = []
        for wait_ms, count in steps:
            for _ in range(count):
                writer.take(said(len(given_ns) + 1, clock))
                given_ns.append(clock.now_ns())
            clock.advance_ns(wait_ms * MS)
            writer.tick()
            found = numbers(Path(folder) / "a.mcap")
            assert found == list(range(1, len(found) + 1))
            older = sum(clock.now_ns() - time_ns > 550 * MS for time_ns in given_ns)
            assert len(found) >= older
        writer.close()
        assert numbers(Path(folder) / "a.mcap") == list(range(1, len(given_ns) + 1))
        assert writer.state.lost == 0


def test_times_in_the_file_are_since_1970(tmp_path: Path):
    clock = VirtualClock(7 * NS_PER_S)
    writer = opened(tmp_path, clock)
    writer.take(said(1, clock))
    writer.close()
    (message,) = stored(tmp_path / "a.mcap")
    assert message.time_ns == EPOCH_NS + 7 * NS_PER_S
    assert (tmp_path / "a.mcap").stat().st_mode & 0o777 == 0o600  # it holds a patient's anatomy


def test_what_is_missing_is_counted_and_said(tmp_path: Path):
    clock = VirtualClock()
    writer = opened(tmp_path, clock)
    writer.take(said(1, clock))
    writer.take(said(2, clock, dropped=3))  # three could not be given
    writer.take(said(6, clock, dropped=3))  # three more never came
    writer.take(said(1, clock))  # its process was started again
    assert writer.state.lost == 6
    writer.close()
    notes = [json.loads(message.data) for message in stored(tmp_path / "a.mcap", "/recorder")]
    assert [note["messages"] for note in notes if note["kind"] == "lost"] == [3, 3]


def test_a_full_disk_is_announced_before_it_is_full_and_the_file_is_ended_in_order(tmp_path: Path):
    clock, free = VirtualClock(), RESERVE_BYTES + (1 << 20)
    writer = opened(tmp_path, clock, lambda: free)
    number, warned_at = 0, None
    writer.take(said(0, clock, "/settings"))
    while not writer.state.problem:
        for _ in range(200):
            number += 1
            writer.take(said(number, clock))
        clock.advance_ns(NS_PER_S)
        before = writer.state.written_bytes
        writer.tick()
        free -= writer.state.written_bytes - before
        outlook = writer.state.outlook
        if warned_at is None and outlook is not None and outlook.warning:
            warned_at = number
    assert warned_at is not None
    assert warned_at < number
    assert "the disk is full" in writer.state.problem
    assert free > RESERVE_BYTES // 2  # other programs have space left
    found = McapMessages(tmp_path / "a.mcap")
    assert len([message for message in found if message.topic == "/said"]) >= number - 200
    assert found.is_closed

    writer.take(said(number + 1, clock))
    assert writer.state.lost == 1
    free = RESERVE_BYTES + 1
    clock.advance_ns(10 * NS_PER_S)
    writer.tick()
    assert writer.state.problem  # a little space is no reason to begin again
    free = PLENTY
    clock.advance_ns(10 * NS_PER_S)
    writer.tick()
    assert writer.state.problem == ""
    writer.close()
    assert len(stored(tmp_path / "a_2.mcap", "/settings")) == 1  # what holds is said again


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """As on a full disk, a write fails in the middle; Python ignores the signal that comes with it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def ends_with_a_record(content: bytes) -> bool:
    """Whether records, each of one byte, its length and so many bytes, fill the file to its end after 8 bytes."""
    at = 8
    while at < len(content):
        at += 9 + int.from_bytes(content[at + 1 : at + 9], "little")
    return at == len(content)


@pytest.mark.parametrize("size", [20_000, 20_001, 50_000])
def test_a_write_that_fails_leaves_whole_chunks(tmp_path: Path, size: int):
    clock = VirtualClock()
    writer = opened(tmp_path, clock)
    flushed = number = 0
    with files_up_to(size):
        while not writer.state.problem:
            flushed = number
            for _ in range(50):
                number += 1
                writer.take(said(number, clock))
            clock.advance_ns(500 * MS)
            writer.tick()
    assert "File too large" in writer.state.problem
    assert (tmp_path / "a.mcap").stat().st_size <= size
    found = numbers(tmp_path / "a.mcap")  # the last chunk may be there without its index
    assert flushed <= len(found)
    assert found == list(range(1, len(found) + 1))
    assert ends_with_a_record((tmp_path / "a.mcap").read_bytes())
    clock.advance_ns(10 * NS_PER_S)
    writer.tick()
    writer.take(said(number + 1, clock))
    writer.close()
    assert numbers(tmp_path / "a_2.mcap") == [number + 1]


def test_a_folder_that_cannot_be_is_a_sentence_and_tried_again(tmp_path: Path):
    clock = VirtualClock()
    (tmp_path / "file").touch()
    writer = opened(tmp_path / "file", clock)
    assert "file" in writer.state.problem
    (tmp_path / "file").unlink()
    clock.advance_ns(10 * NS_PER_S)
    writer.tick()
    assert writer.state.problem == ""
    writer.close()


def test_a_recorder_that_is_killed_leaves_a_file_that_opens_and_is_started_again(tmp_path: Path):
    clock, said_lines = MonotonicClock(), []
    with closing(RecorderProcess(RecorderConfig(folder=tmp_path, tool_ids={}))) as recorder:
        tap = Tap(recorder.address, "test", clock)

        def give_until(is_done: Callable[[], bool]) -> None:
            while not is_done():
                tap.give(Kind.JSON, "/said", b'{"number": 0}')
                said_lines.extend(line for line, _ in recorder.poll())
                clock.sleep_until_ns(clock.now_ns() + 2 * MS)

        give_until(lambda: recorder.state is not None and recorder.state.written_bytes > 2_000)
        first = recorder.process_id
        assert first is not None
        os.kill(first, signal.SIGKILL)
        (path,) = tmp_path.iterdir()
        assert stored(path)
        assert not McapMessages(path).is_closed
        give_until(lambda: len(list(tmp_path.iterdir())) > 1 and recorder.process_id != first)
        tap.close()
    assert any("the recorder has ended: killed by signal 9" in line for line in said_lines)
    assert all(stored(each) for each in tmp_path.iterdir())
