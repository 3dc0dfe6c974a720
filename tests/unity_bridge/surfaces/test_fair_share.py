"""Bytes by client: who takes all waits for who takes little, and nobody waits for who has gone."""

from hypothesis import given
from hypothesis import strategies as st

from unity_bridge.surfaces.fair_share import FairShare, ShareSettings

PERIOD_NS = 100
SETTINGS = ShareSettings(lead_bytes=1000, period_ns=PERIOD_NS)


def test_who_is_alone_is_never_ahead():
    share = FairShare(SETTINGS)
    for now_ns in range(0, 10_000, 7):
        assert not share.is_ahead("a", now_ns)
        share.took("a", 10_000)


def test_who_is_ahead_waits_until_the_other_has_caught_up_or_gone():
    share = FairShare(SETTINGS)
    share.is_ahead("modest", 0)
    share.took("modest", 10)
    assert not share.is_ahead("greedy", 1)
    share.took("greedy", 1011)
    assert share.is_ahead("greedy", 2)
    assert not share.is_ahead("modest", 3)
    share.took("modest", 1)
    assert not share.is_ahead("greedy", 4)
    share.took("greedy", 5000)
    assert share.is_ahead("greedy", PERIOD_NS + 1)  # a period later it is still remembered
    assert not share.is_ahead("greedy", 3 * PERIOD_NS)  # and then no more


@given(st.lists(st.integers(1, 50), min_size=2, max_size=5), st.integers(20, 400))
def test_clients_that_ask_in_turn_get_alike_whatever_they_ask_for(sizes, rounds):
    """Each asks for its own size every time; ahead, it gets 1 byte. Within one period."""
    share, got = FairShare(ShareSettings(lead_bytes=100, period_ns=10**9)), [0] * len(sizes)
    for now_ns in range(rounds):
        for who, size in enumerate(sizes):
            given_bytes = 1 if share.is_ahead(who, now_ns) else size
            share.took(who, given_bytes)
            got[who] += given_bytes
    assert max(got) - min(got) <= 100 + max(sizes) + 1
