"""The operator is told how old poses are: when it changes, once a minute, and never more."""

from __future__ import annotations

import numpy as np

from navigation.live.pose_vitals import Vitals
from navigation.operator_screen.stream_report import StreamReport

MS = 1_000_000
S = 1_000_000_000


class Stream:
    """A service that is asked 200 times a second; its tracker gives a frame every 10 ms while it runs."""

    def __init__(self) -> None:
        self.now_ns = 1000 * S
        self.capture_ns: int | None = None
        self.dropped = 0
        self.ages = np.zeros(1001, np.int64)
        self.report = StreamReport(100.0, self.now_ns)
        self.said: list[tuple[str, bool]] = []

    def run(self, seconds: float, age_ms: int | None) -> list[str]:
        """Frames of that age; None: no frame. What is said meanwhile."""
        self.said.clear()
        for step in range(round(seconds * 200)):
            self.now_ns += 5 * MS
            if age_ms is not None and step % 2 == 0:
                self.capture_ns = self.now_ns - age_ms * MS
                self.ages[min(age_ms, 1000)] += 1
            vitals = Vitals(0, self.capture_ns, self.dropped, 0, self.ages.copy(), 0.0)
            self.said += self.report.lines(vitals, self.now_ns)
        return [line for line, _ in self.said]


def test_a_minute_is_one_line() -> None:
    stream = Stream()
    stream.run(30.0, 2)
    stream.dropped = 7
    # The last 0.6 s of the minute, one frame in a hundred, are older.
    assert stream.run(29.4, 2) == []
    assert stream.run(0.6, 60) == [
        "poses of the last 60 s: 100 a second, age 3 ms in the middle, 3 for 99 of 100, 61 at most, "
        "7 frames of the tracker dropped"
    ]
    assert stream.run(60.0, 12) == [
        "poses of the last 60 s: 100 a second, age 13 ms in the middle, 13 for 99 of 100, 13 at most, "
        "0 frames of the tracker dropped"
    ]


def test_a_stopped_pose_process_is_told_within_a_second_and_again_when_it_goes_on() -> None:
    stream = Stream()
    stream.run(5.0, 2)
    assert stream.run(6.0, None) == ["poses are too old to be shown: the newest is 0.5 s old (limit 100 ms)"]
    assert stream.said[0][1]
    stream.dropped += 600
    assert stream.run(3.0, 2) == ["poses are young again, after 5.9 s; 600 frames of the tracker were dropped"]


def test_a_hiccup_is_no_line_and_a_stream_that_comes_and_goes_makes_few() -> None:
    stream = Stream()
    stream.run(5.0, 2)
    assert stream.run(0.3, None) + stream.run(2.0, 2) == []
    said = [line for _ in range(10) for line in stream.run(0.8, None) + stream.run(1.5, 2)]
    assert len(said) <= 2 * 3  # told of, and ended, every ten seconds of 23
    [minute] = [line for line in stream.run(40.0, 2) if line.startswith("poses of")]
    assert "too old 10 times" in minute


def test_a_tracker_that_never_gives_a_frame_is_told() -> None:
    assert Stream().run(5.0, None) == ["no pose can be shown: no frame from the tracker for 0.5 s"]


def test_ages_beyond_a_second_are_said_to_be() -> None:
    stream = Stream()
    said = stream.run(60.0, 3000)
    assert said[0] == "poses are too old to be shown: the newest is 3.0 s old (limit 100 ms)"
    assert "age over 1000 ms in the middle, over 1000 for 99 of 100" in said[-1]
