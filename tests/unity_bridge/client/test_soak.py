"""A long day at once: clients that come and go, one that stalls, servers that start anew; no event lost, none twice."""

import contextlib
import random
from pathlib import Path

import pytest

from tests.unity_bridge.control.harness import Handler, notice
from tests.unity_bridge.harness import CLOCK, Server, client_of
from tests.unity_bridge.transport.peer import HELLO, Peer
from unity_bridge.client import ReferenceClient
from unity_bridge.client.control_link import ControlSettings
from unity_bridge.client.reference_client import ClientSettings
from unity_bridge.transport.router import RouterSettings
from unity_bridge.wire.generated.constants import EventOutcome
from unity_bridge.wire.messages import Goodbye

CLIENTS, CYCLES, RESTARTS = 20, 1000, 4


@pytest.fixture
def open_all():
    with contextlib.ExitStack() as stack:
        yield lambda closeable: stack.enter_context(contextlib.closing(closeable))


class Day:
    """Twenty clients and a server, all in this thread."""

    def __init__(self, open_all) -> None:
        self.handler = Handler()
        self.server = Server(handler=self.handler)
        self.clients: list[ReferenceClient] = []
        self.told: dict[int, list[tuple[bytes, int]]] = {}
        self.sent: dict[str, tuple[int, int]] = {}
        self.announced: dict[bytes, int] = {}
        for number in range(CLIENTS):
            settings = ClientSettings(name=f"client {number}", max_batches=10, control=ControlSettings())
            self.clients.append(open_all(client_of(self.server, settings)))
            self.told[number] = []

    def turn(self, stalled: int | None = None) -> None:
        self.server.publish()
        self.server.serve()
        for number, client in enumerate(self.clients):
            if number != stalled:
                client.poll(0)
                events = client.control.events
                self.told[number] += [(events.session, event.number) for event in events.take_events()]

    def until(self, condition, seconds: float = 30.0) -> None:
        deadline_ns = CLOCK.now_ns() + round(seconds * 1e9)
        while not condition():
            assert CLOCK.now_ns() < deadline_ns, self.where_it_stands()
            self.turn()

    def happen(self, rng: random.Random) -> None:
        """Something at the server for all, and something at one client."""
        self.server.control.announce(notice(str(len(self.sent))))
        number = rng.randrange(CLIENTS)
        client = self.clients[number]
        if len(client.control.events.unanswered) < 10:
            name = f"event {len(self.sent)}"
            self.sent[name] = number, client.control.send_event("select_target", name=name)

    def settled(self) -> bool:
        last = self.server.control._exchange.log.last
        links = [client.control.events for client in self.clients]
        return all(not link.unanswered and link.last_event == last for link in links)

    def all_joined(self) -> bool:
        """And tested: from here on whatever happens is told, before it is part of the state that they were given."""
        session = self.server.session.session_id
        return all(each.control.may_show and each.control.server_session == session for each in self.clients)

    def where_it_stands(self) -> list[str]:
        links, last = [client.control for client in self.clients], self.server.control._exchange.log.last
        return [
            f"{n}: waits {link.events.unanswered}, has {link.events.last_event} of {last}, "
            f"{link.self_test}, {link.watch.state}, {link.last_refusal}"
            for n, link in enumerate(links)
        ]

    def close(self) -> None:
        self.server.close()

    def restart(self) -> None:
        """A new server in the old one's place, with the journal of what was done: a list that both share."""
        self.announced[self.server.session.session_id] = self.server.control._exchange.log.last
        where, session = self.server.endpoints, self.server.session.session_id
        self.server.close()
        self.handler.sessions = {*self.handler.sessions, session.hex()}
        self.server = Server(where=where, handler=self.handler)


def held() -> dict[str, float]:
    """What this process holds: memory in MB, open files (sockets among them), threads."""
    status = Path("/proc/self/status").read_text("ascii")
    return {
        "memory, MB": int(status.split("VmRSS:")[1].split()[0]) / 1024,
        "open files": len(list(Path("/proc/self/fd").iterdir())),
        "threads": int(status.split("Threads:")[1].split()[0]),
    }


@pytest.mark.slow
def test_a_long_day(open_all):
    """20 clients, 1,000 that come and go, one that stalls for a while, 4 restarts; all events arrive once."""
    rng, day = random.Random(7), open_all(Day(open_all))
    day.until(lambda: all(client.is_ready for client in day.clients))
    before: dict[str, float] = {}
    for cycle in range(CYCLES):
        with contextlib.closing(Peer(day.server.control.endpoint)) as visitor:
            visitor.say(HELLO)
            day.turn(stalled=3 if cycle % 200 > 150 else None)
            day.turn(stalled=3 if cycle % 200 > 150 else None)
            if cycle % 2:
                visitor.say(Goodbye())  # the others just break off
        if cycle % 4 == 0:
            day.happen(rng)
        if cycle % 200 == 199:
            day.until(day.settled)
            if cycle // 200 < RESTARTS:
                day.restart()
                day.until(day.all_joined)
        if cycle == CYCLES // 2:
            before = held()
    day.until(day.settled)
    done = [name for _, name in day.handler.done]
    assert sorted(done) == sorted(day.sent)
    for number, sequence in day.sent.values():
        assert day.clients[number].control.events.answers[sequence].outcome is EventOutcome.ACCEPTED
    day.announced[day.server.session.session_id] = day.server.control._exchange.log.last
    for number, client in enumerate(day.clients):
        assert client.control.events.missed == client.control.events.dropped == 0
        for session, last in day.announced.items():
            told = [event for of, event in day.told[number] if of == session]
            assert told == list(range(last - len(told) + 1, last + 1)), (number, session.hex())
            assert len(told) == last
    assert day.server.control.client_count <= RouterSettings().max_clients
    received = [client.poses.log.received for client in day.clients]
    lost = [client.poses.log.lost for client in day.clients]
    after = held()
    print(f"\n{len(day.sent)} events of clients, {sum(day.announced.values())} of servers, none lost, none twice")
    print(f"{min(received)} to {max(received)} pose batches at each of {CLIENTS} clients, {sum(lost)} lost")
    print("; ".join(f"{name} {before[name]:.0f} -> {after[name]:.0f}" for name in after))
    # Nobody lost a pose: not the others while one stalled, nor the one that did, whose queue holds 256.
    assert sum(lost) == 0
    # Python's own pools breathe by some MB; 500 clients held would be more.
    assert after["memory, MB"] - before["memory, MB"] < 30.0
    # A visitor that broke off a moment ago may still be closing; 500 that were kept would be more.
    assert after["open files"] - before["open files"] < 10
    assert after["threads"] == before["threads"]
