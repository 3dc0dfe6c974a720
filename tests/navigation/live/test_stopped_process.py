"""The pose process is stopped and goes on, as when a laptop is suspended: nothing old is ever valid at the client.

It asks only for what holds on a machine of any speed: not how soon, but that nothing is wrong.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace

from geometry.frames import STYLUS
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.live.service import NavigationService
from navigation.simulation.operating_room import OperatingRoom, simulated_device
from navigation.simulation.optical_tracker import OpticalTrackerSettings
from tests.navigation.live.served_room import registered, room_config, service_config
from unity_bridge.client.reference_client import Endpoints, ReferenceClient
from unity_bridge.wire.envelope import Validity

LIMIT_NS = 100_000_000
STOPPED_NS = 1_200_000_000


class Watch:
    """A client that looks at every moment, and fails if it is shown something old as valid."""

    def __init__(self, service: NavigationService, client: ReferenceClient) -> None:
        self.clock = MonotonicClock()
        self._service, self._client = service, client

    def look(self) -> tuple[Validity, str]:
        """What is shown of the stylus now."""
        self._service.poll(1)
        self._client.poll(1)
        shown = self._client.newest
        if shown is None:
            return Validity.LOST, "not ready"
        for tool in shown.tools.values():
            if tool.validity is Validity.VALID:
                assert tool.capture_ns is not None
                assert 0 <= shown.read_ns - tool.capture_ns <= LIMIT_NS
        return shown.tools[STYLUS].validity, shown.tools[STYLUS].reason

    def until(self, condition: Callable[[Validity], bool], patience_s: float = 120.0) -> str:
        """Looks until the stylus' validity is as wanted; the reason then."""
        deadline_ns = self.clock.now_ns() + round(patience_s * NS_PER_S)
        while self.clock.now_ns() < deadline_ns:
            validity, reason = self.look()
            if condition(validity):
                return reason
        raise AssertionError("the stylus never was as wanted")


def test_a_stopped_pose_process_never_makes_old_poses_valid_and_comes_back() -> None:
    config = service_config(registered(OperatingRoom(room_config())), start_timeout_s=240.0)
    # No marker is missed by chance, just when the process is stopped: what is lost for another reason says that one.
    seen = OpticalTrackerSettings(dropout_probability=0.0)
    config = replace(config, devices=(simulated_device(replace(room_config(), tracker=seen)),))
    with NavigationService(config) as service:
        endpoints = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        with ReferenceClient(endpoints, MonotonicClock()) as client:
            watch = Watch(service, client)
            watch.until(lambda validity: validity is Validity.VALID)
            before = service.vitals()
            assert service.pose_process.process_id is not None
            os.kill(service.pose_process.process_id, signal.SIGSTOP)
            stopped_ns = watch.clock.now_ns()
            reason = watch.until(lambda validity: validity is Validity.LOST)
            assert reason.startswith("the newest pose is ")
            while watch.clock.now_ns() - stopped_ns < STOPPED_NS:
                assert watch.look()[0] is not Validity.VALID
            os.kill(service.pose_process.process_id, signal.SIGCONT)
            watch.until(lambda validity: validity is Validity.VALID)
            # What the camera saw meanwhile is dropped and counted, and not sent in fast-forward.
            after = service.vitals()
            assert after.frames_dropped - before.frames_dropped > 100
