"""The driver ``headset`` from the control socket to a tracker's frames; headsets are played by the wire's client."""

import contextlib
import socket
import threading

import numpy as np
import pytest

from navigation.devices.headset.feed import FeedConnection, ObservationFeed
from navigation.devices.registry import open_device
from navigation.devices.tracker import Visibility
from navigation.errors import DeviceError
from tests.navigation.devices.headset.harness import NAME, Watched, device, free_port, wait_until, waits_for_its_headset
from tests.navigation.devices.headset.player import CLOCK, Headset, headset, pose
from unity_bridge.client.observation_link import seen, unseen
from unity_bridge.wire.generated.constants import Validity

REFERENCE, STYLUS = seen("Reference", pose("reference", 1)), seen("Stylus", pose("stylus", 2), fit_rms_mm=0.3)
DRILL = seen("Drill", pose("drill", 5))


@pytest.fixture
def port() -> int:
    return free_port()


@contextlib.contextmanager
def running(*devices):
    trackers = [open_device(each, CLOCK) for each in devices]
    try:
        for tracker in trackers:
            tracker.start()
        yield [Watched(tracker) for tracker in trackers]
    finally:
        for tracker in trackers:
            tracker.stop()


class AnotherClock:
    """Runs beside this machine's, and can be set."""

    clock_id = "headset-1"

    def __init__(self, ahead_ns: int) -> None:
        self.ahead_ns = ahead_ns

    def now_ns(self) -> int:
        return CLOCK.now_ns() + self.ahead_ns


def address(port: int) -> str:
    return f"tcp://127.0.0.1:{port}"


def test_what_a_headset_sees_is_a_frame_of_its_device(port):
    covariance = np.diag([1e-6, 2e-6, 3e-6, 0.01, 0.02, 0.09])
    with running(device(port)) as [watched], headset(address(port), NAME) as worn:
        certain = seen("Reference", pose("reference", 1), covariance=covariance)
        doubted = seen("Stylus", pose("stylus", 2), Validity.SUSPECT, "little light")
        worn.until(lambda: watched.sees("reference"), certain, doubted)
        reference, stylus = watched.frame.tools["reference"], watched.frame.tools["stylus"]
        np.testing.assert_allclose(reference.T_tracker_tool.matrix, pose("reference", 1).matrix, atol=1e-9)
        assert (reference.T_tracker_tool.to_frame, reference.T_tracker_tool.from_frame) == ("tracker", "reference")
        np.testing.assert_allclose(reference.covariance, covariance, rtol=1e-9, atol=1e-15)
        assert (stylus.visibility, stylus.T_tracker_tool, stylus.why) == (Visibility.AMBIGUOUS, None, "little light")
        worn.until(lambda: watched.sees("stylus"), unseen("Reference", "covered"), STYLUS)
        assert watched.frame.tools["stylus"].fit_rms_mm == 0.3
        assert (watched.frame.tools["reference"].T_tracker_tool, watched.frame.tools["reference"].why) == (
            None,
            "covered",
        )
        # What is not named is not what was seen of it before: that may have been under another anchor.
        unnamed = "the headset says nothing of this tool"
        worn.until(lambda: watched.frame.tools["reference"].why == unnamed, STYLUS)


def test_times_are_on_this_machines_clock_also_after_the_headsets_clock_was_set(port):
    clock = AnotherClock(ahead_ns=3_600_000_000_000)
    with running(device(port)) as [watched], headset(address(port), NAME, clock) as worn:
        worn.until(lambda: watched.sees("reference"), REFERENCE, STYLUS)
        assert 0 <= CLOCK.now_ns() - watched.frame.capture_ns + 50_000_000 < 10_000_000_000
        clock.ahead_ns += 60_000_000_000
        worn.until(lambda: "from now, by clocks compared to" in worn.link.last_refusal, REFERENCE)
        before = watched.frame.sequence
        worn.until(lambda: watched.frame.sequence > before, REFERENCE)
        assert watched.frame.capture_ns <= CLOCK.now_ns() + 50_000_000


def test_a_headset_that_is_not_there_goes_away_and_comes_back(port):
    with running(device(port)) as [watched]:
        wait_until(lambda: waits_for_its_headset(watched.tracker))
        first = Headset(address(port), NAME)
        first.until(lambda: watched.sees("stylus"), REFERENCE, STYLUS)
        first.vanish()
        wait_until(lambda: waits_for_its_headset(watched.tracker))
        with headset(address(port), NAME) as again:  # another run of the same program
            before = watched.frame.sequence
            again.until(lambda: watched.frame.sequence > before, REFERENCE, STYLUS)
            assert watched.sees("stylus")
        wait_until(lambda: waits_for_its_headset(watched.tracker))


def test_a_goodbye_ends_the_connection_at_once_with_its_reason():
    with contextlib.closing(ObservationFeed()) as feed:
        is_told = threading.Event()
        say = threading.Thread(target=wait_until, args=(lambda: feed.say_gone(NAME, "a break") or is_told.is_set(),))
        say.start()
        with (
            contextlib.closing(FeedConnection(feed.endpoint, NAME, device(5572))) as connection,
            pytest.raises(DeviceError, match="goodbye from the headset: a break"),
        ):
            connection.receive(1.0)
        is_told.set()
        say.join()


def test_two_headsets_with_other_tools_share_one_control_socket(port):
    other = device(port, "quest", ("drill",))
    with (
        running(device(port), other) as [watched, of_other],
        headset(address(port), NAME) as worn,
        headset(address(port), "quest") as second,
    ):
        worn.until(lambda: watched.sees("stylus"), REFERENCE, STYLUS)
        second.until(lambda: of_other.sees("drill"), DRILL)
        drill = of_other.frame.tools["drill"].T_tracker_tool
        np.testing.assert_allclose(drill.matrix, pose("drill", 5).matrix, atol=1e-9)
        worn.until(lambda: worn.link.refused > 0, DRILL)
        assert "the tool 'Drill'; expected one of Reference, Stylus" in worn.link.last_refusal


def test_a_socket_in_use_is_a_state_until_it_is_free(port):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        with running(device(port)) as [watched]:
            wait_until(lambda: str(port) in watched.tracker.state.reason)
            taken.close()
            wait_until(lambda: waits_for_its_headset(watched.tracker))


@pytest.mark.parametrize(
    ("name", "tools", "said"),
    [
        (
            NAME,
            (seen("Stylos", pose("stylus", 2)),),
            "'Stylos'; expected one of Reference, Stylus. Fix: write 'Stylus'",
        ),
        (NAME, (STYLUS, STYLUS), "2 tools, 1 of them different"),
        ("hololense", (STYLUS,), "the headset 'hololense'; expected one of hololens. Fix: write 'hololens'"),
    ],
)
def test_what_the_room_does_not_have_is_refused_with_the_nearest_name(port, name, tools, said):
    with running(device(port)) as [watched], headset(address(port), name) as worn:
        worn.until(lambda: worn.link.refused > 0, *tools)
        assert said in worn.link.last_refusal
        assert watched.frame is None
