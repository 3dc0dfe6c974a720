"""A case, its live session and a headset that sends events to it."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from case.case import Case
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.headset.event_handler import HeadsetEventSettings
from navigation.live.offers.case_surfaces import surfaces_of
from navigation.live.pose_graph import PoseGraph
from navigation.live.service import NavigationService
from tests.navigation.live.served_room import service_config
from tests.registration.record.harness import MARKS, TIME, case, made  # noqa: F401 - a fixture
from unity_bridge.client.reference_client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.control.event_handler import Sender

DOCTOR = "Dr Test"
CLOCK = MonotonicClock()
STREAM = "0f8fad5b-d9cb-469f-a165-70867728950e"
SENDER = Sender("headset", "")


class Serving:
    """A service and a client, polled in turn."""

    def __init__(self, service: NavigationService, client: ReferenceClient) -> None:
        self.service, self.client = service, client
        self.told: list = []
        self.operator: list = []

    def until(self, condition, seconds: float = 60.0) -> None:
        deadline_ns = CLOCK.now_ns() + round(seconds * NS_PER_S)
        while not condition():
            assert CLOCK.now_ns() < deadline_ns, (self.told, self.client.control.last_refusal)
            self.operator += self.service.poll(1)
            self.client.poll(1)
            self.told += self.client.control.events.take_events()

    def send(self, kind: str, **fields):
        """Does something at the headset, and returns the final answer."""
        number = self.client.control.send_event(kind, **fields)
        self.until(lambda: number in self.client.control.events.answers)
        return self.client.control.events.answers[number]

    def welcome(self):
        self.client.control.say_hello()
        self.until(lambda: self.client.control.welcome is not None)
        return self.client.control.welcome

    def kinds(self) -> list[str]:
        return [event.kind for event in self.told]


@contextlib.contextmanager
def serving(case: Case, graph: PoseGraph | None = None, deciders=(DOCTOR,), research=False, **changes):  # noqa: F811
    config = service_config(
        graph or PoseGraph(),
        headset_events=HeadsetEventSettings(case=case.root, deciders=frozenset(deciders)),
        **changes,
    )
    config = replace(
        config, research_session=research, surfaces=surfaces_of(Case.open(case.root), research_session=research)
    )
    with NavigationService(config) as service:
        endpoints = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        with ReferenceClient(endpoints, CLOCK, ClientSettings(name="headset")) as client:
            running = Serving(service, client)
            running.until(lambda: client.is_ready)
            yield running
