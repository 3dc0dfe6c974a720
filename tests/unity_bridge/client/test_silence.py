"""A link that breaks without a word: nothing is closed, nothing comes, and TCP does not tell."""

import contextlib
import dataclasses

import pytest

from tests.unity_bridge.control.harness import Handler
from tests.unity_bridge.harness import CLOCK, Server, run_until
from tests.unity_bridge.transport.cutting_proxy import CuttingProxy
from unity_bridge.client import ClientSettings, ReferenceClient
from unity_bridge.client.control_link import ControlSettings
from unity_bridge.client.silence import Silence

SECOND_NS = 1_000_000_000
# The proxy's handshake takes a while where the machine is busy; a second of silence is none of it.
SETTINGS = ClientSettings(silence_ns=SECOND_NS, control=ControlSettings(silence_ns=SECOND_NS))


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


def through(open_all, server: Server, socket: str, settings: ClientSettings = SETTINGS):
    """A client of which one link runs through a proxy."""
    proxy = open_all(CuttingProxy(getattr(server.endpoints, socket), []))
    where = dataclasses.replace(server.endpoints, **{socket: proxy.endpoint})
    return proxy, open_all(ReferenceClient(where, CLOCK, settings))


def test_a_subscriber_that_hears_nothing_subscribes_anew(open_all):
    """In the same session, with what was missed counted as lost; its old connection is still open all the while."""
    server = open_all(Server())
    proxy, client = through(open_all, server, "poses")
    log = client.poses.log
    run_until(server, client, lambda: client.control.may_show and log.received > 5)
    assert (client.poses.reconnects, proxy.connections, log.lost) == (0, 1, 0)
    proxy.swallow()
    before = log.last_sequence
    run_until(server, client, lambda: log.last_sequence > before + 100)
    assert client.poses.reconnects >= 1
    assert proxy.connections >= 2
    assert (log.sessions, client.poses.refused) == (1, 0)
    assert log.lost == log.last_sequence - log.first_sequence + 1 - log.received > 0
    after, end_ns = client.poses.reconnects, CLOCK.now_ns() + 5 * SECOND_NS // 2
    run_until(server, client, lambda: CLOCK.now_ns() > end_ns)
    assert client.poses.reconnects == after, "a link that works is left alone"


def test_without_the_rule_it_hears_nothing_for_good(open_all):
    """What the rule is for: the proxy does what the test above believes of it."""
    server = open_all(Server())
    proxy, client = through(open_all, server, "poses", dataclasses.replace(SETTINGS, silence_ns=10**15))
    run_until(server, client, lambda: client.control.may_show and client.poses.log.received > 5)
    proxy.swallow()
    end_ns = CLOCK.now_ns() + SECOND_NS
    run_until(server, client, lambda: CLOCK.now_ns() > end_ns)
    received = client.poses.log.received
    end_ns = CLOCK.now_ns() + 2 * SECOND_NS
    run_until(server, client, lambda: CLOCK.now_ns() > end_ns)
    assert client.poses.log.received == received


def test_a_server_that_sends_no_poses_is_not_pestered(open_all, monkeypatch):
    """Silence is none where the Welcome's rate is 0, nor before the Welcome."""
    server = open_all(Server())
    welcome = server.control._state
    monkeypatch.setattr(server.control, "_state", lambda: dataclasses.replace(welcome(), rate_hz=0.0))
    monkeypatch.setattr(server, "publish", lambda: None)
    client = open_all(ReferenceClient(server.endpoints, CLOCK, dataclasses.replace(SETTINGS, silence_ns=1)))
    run_until(server, client, lambda: client.control.clock_is_settled)
    assert client.poses.reconnects == 0


def test_events_and_clocks_go_on_over_a_control_link_that_fell_silent(open_all):
    """The event is done once, and answered; the server knows the client again, self-test and all."""
    handler = Handler()
    server = open_all(Server(handler=handler))
    proxy, client = through(open_all, server, "control")
    run_until(server, client, lambda: client.control.may_show and client.control.clock_is_settled)
    proxy.swallow()
    number = client.control.send_event("select_target", name="tumour")
    run_until(server, client, lambda: number in client.control.events.answers)
    assert client.control.reconnects >= 1
    assert handler.done == [("select_target", "tumour")]
    assert client.control.may_show
    assert client.control.verdict is not None


def test_patience_doubles_up_to_four_times_until_something_comes():
    silence = Silence(0)
    times = [now for now in range(1, 100) if silence.is_too_long(5, now)]
    assert times == [6, 17, 38, 59, 80]
    silence.broken(100)
    assert [now for now in range(101, 120) if silence.is_too_long(5, now)] == [106, 117]
    silence.excused(200)
    assert not silence.is_too_long(5, 205)


MS = 1_000_000


def told_ms(silence: Silence, from_ms: int, to_ms: int) -> list[int]:
    """When it says so, asked every 10 ms."""
    return [now_ms for now_ms in range(from_ms, to_ms, 10) if silence.is_too_long(2_000 * MS, now_ms * MS)]


def test_a_program_that_was_held_up_itself_has_heard_no_silence():
    silence = Silence(0)
    assert told_ms(silence, 10, 1_000) == []
    # Stopped for 10 s: 250 ms of those count, and 1,240 ms are on the account.
    assert not silence.is_too_long(2_000 * MS, 10_990 * MS)
    assert told_ms(silence, 11_000, 12_000) == [11_760]


def test_patience_doubles_up_to_four_times_and_is_back_when_something_comes():
    silence = Silence(0)
    assert told_ms(silence, 0, 30_000) == [2_010, 6_020, 14_030, 22_040]
    silence.broken(30_000 * MS)
    assert told_ms(silence, 30_000, 34_000) == [32_010]
