"""Live ultrasound at the Python client: contours once the self-test is passed, and not before."""

import contextlib
from dataclasses import replace

import pytest

from tests.unity_bridge.control.mirroring import Mirroring
from tests.unity_bridge.harness import CLOCK, Server, client_of, run_until
from tests.unity_bridge.ultrasound.golden_ultrasound import ultrasound_messages
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import SelfTestState

FRAME = replace(ultrasound_messages()["ultrasound_frame"], image=None)


@pytest.fixture
def server():
    with contextlib.closing(Server(with_ultrasound=True)) as made:
        yield made


def offer(server: Server, number: int) -> bool:
    server.ultrasound.offer(replace(FRAME, number=number, shows_ns=CLOCK.now_ns()), None)
    return False


def test_contours_come_after_the_self_test(server):
    numbers = iter(range(1, 1_000_000))
    with contextlib.closing(client_of(server)) as client:
        run_until(server, client, lambda: offer(server, next(numbers)) or client.contours is not None)
        shown = client.contours
    assert shown.frame.contours == FRAME.contours
    assert shown.validity in (Validity.VALID, Validity.STALE)


def test_who_fails_the_self_test_asks_for_nothing(server):
    numbers = iter(range(1, 1_000_000))
    with contextlib.closing(Mirroring(server.endpoints, CLOCK)) as client:
        run_until(server, client, lambda: client.control.self_test is SelfTestState.FAILED)
        for _ in range(60):
            offer(server, next(numbers))
            server.publish()
            server.serve()
            client.poll(1)
        assert client.contours is None
        assert server.ultrasound.client_count == 0
