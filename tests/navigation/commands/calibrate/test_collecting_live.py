"""What becomes of what was collected where a device stops in the middle, or somebody presses Ctrl-C."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from navigation.acquisition.live_poses import PoseSample
from navigation.acquisition.pivoting import PivotCollecting
from navigation.clock import VirtualClock
from navigation.commands.calibrate.live import collect_shown
from navigation.errors import AcquisitionError
from tests.calibration.streams_of import pivoted


def feed(count: int, error: BaseException, clock: VirtualClock) -> Callable[[], PoseSample]:
    """Poses one after the other, then the error."""
    stream = pivoted(200)

    def samples() -> Iterator[PoseSample]:
        for number in range(count):
            clock.advance_ns(50_000_000)
            yield PoseSample(float(stream.time_s[number]), stream.transforms()[number])
        raise error

    given = samples()
    return lambda: next(given)


def collected(count: int, error: BaseException) -> tuple[PivotCollecting, str]:
    clock, said = VirtualClock(), io.StringIO()
    collecting = PivotCollecting("lab")
    collect_shown(collecting, feed(count, error, clock), clock, Console(file=said, width=200), title="pivot")
    return collecting, said.getvalue()


GONE = AcquisitionError("no frame from the tracker for 5 s", "a tracker that is running", "check its connection")


def test_a_device_that_stops_in_the_middle_ends_the_collecting_and_the_poses_are_kept():
    collecting, said = collected(80, GONE)
    assert len(collecting) == 80
    assert "collecting ended: Got no frame from the tracker for 5 s" in said
    assert "covered; the tip is known to" in said


def test_a_device_that_never_gave_anything_is_an_error():
    with pytest.raises(AcquisitionError, match="no frame from the tracker"):
        collected(0, GONE)


def test_ctrl_c_says_that_nothing_is_kept():
    clock, said = VirtualClock(), io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        collect_shown(
            PivotCollecting("lab"),
            feed(80, KeyboardInterrupt(), clock),
            clock,
            Console(file=said, width=200),
            title="p",
        )
    assert "nothing is kept of what was collected" in said.getvalue()
