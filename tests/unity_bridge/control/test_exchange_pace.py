"""Paces of docs/unity_bridge/protocol.md: the unconfirmed is told again, and who is greedy is held back."""

from __future__ import annotations

from geometry.clock import ManualClock
from unity_bridge.control.event_exchange import EventExchange
from unity_bridge.control.event_handler import NoEventHandler
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.control.members import Member
from unity_bridge.surfaces.fair_share import FairShare
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import EventReceipt

MS = 1_000_000
MIB = 2**20


def test_an_event_that_is_not_confirmed_is_told_again_after_half_a_second() -> None:
    clock = ManualClock(10_000 * MS)
    exchange = EventExchange(Session(bytes(16), clock), NoEventHandler(), tested=False)
    member = Member("headset", "", "s-1")
    exchange.join(member, None)
    exchange.log.add(ServerNotice(kind="target_selected", name="dome"), clock.now_ns())
    assert [event.number for event in exchange.due(member)] == [1]
    clock.advance_ns(499 * MS)
    assert exchange.due(member) == ()
    clock.advance_ns(1 * MS)
    assert [event.number for event in exchange.due(member)] == [1]
    exchange.confirm(member, EventReceipt(last_event=1))
    clock.advance_ns(1000 * MS)
    assert exchange.due(member) == ()


def test_who_has_had_a_megabyte_more_than_another_is_ahead() -> None:
    share = FairShare()
    for who in ("modest", "greedy"):
        assert not share.is_ahead(who, 0)
    share.took("greedy", MIB)
    assert not share.is_ahead("greedy", 1 * MS)
    share.took("greedy", 1)
    assert share.is_ahead("greedy", 2 * MS)
    assert share.is_ahead("greedy", 150 * MS)  # a tenth of a second later still
    assert not share.is_ahead("greedy", 350 * MS)
