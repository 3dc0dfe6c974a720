"""The running service: its processes, its sockets, and what it does when something breaks."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import zmq

from geometry.frames import CT, REFERENCE, STYLUS
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.errors import DeviceError
from navigation.guidance.new_plan import GuidanceSetup
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.service import NavigationService
from navigation.live.supervisor import SupervisorSettings
from navigation.simulation.cue import Cue
from navigation.simulation.operating_room import SPHERES_MM, OperatingRoom, simulated_device
from navigation.simulation.scenario import BumpedReference, Scenario
from tests.navigation.guidance.harness import plan
from tests.navigation.live.served_room import registered, room_config, service_config
from tests.unity_bridge.control.mirroring import Mirroring
from tests.unity_bridge.transport.guarded import Guarded
from unity_bridge.client.poses.age import AgeLimits
from unity_bridge.client.reference_client import Endpoints, ReferenceClient
from unity_bridge.errors import EndpointRefusedError
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import SelfTestState


def test_a_client_sees_poses_surfaces_and_the_registration_arrive() -> None:
    room = OperatingRoom(room_config())
    clock = MonotonicClock()
    limits = SupervisorSettings(stale_after_ms=90.0, lost_after_ms=240.0)
    with NavigationService(service_config(PoseGraph(), keep_sent=10_000, supervisor=limits)) as service:
        endpoints = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        with ReferenceClient(endpoints, clock) as client:

            def until(condition: object, seconds: float = 30.0) -> bool:
                deadline_ns = clock.now_ns() + int(seconds * NS_PER_S)
                while not condition():
                    service.poll(1)
                    client.poll(1)
                    if clock.now_ns() > deadline_ns:
                        return False
                return True

            assert until(lambda: client.is_ready)
            assert client.control.welcome.registration_validity == "lost"
            assert client.age_limits == AgeLimits(stale_after_ms=90.0, lost_after_ms=240.0)
            assert until(lambda: client.newest.tools[STYLUS].validity is Validity.VALID)
            patient = client.newest.tools[PATIENT]
            assert (patient.validity, patient.reason, patient.pose) == (Validity.LOST, "not registered", None)

            service.update(registered(room))
            assert until(lambda: client.newest.tools[PATIENT].validity is Validity.VALID)
            patient = client.newest.tools[PATIENT]
            assert (patient.registration_id, patient.to_frame, patient.from_frame) == ("r1", REFERENCE, CT)
            x, y, z = room.T_reference_ct.translation_mm
            np.testing.assert_allclose(patient.pose.position_m, [-x / 1000, z / 1000, -y / 1000], atol=1e-6)
            [pulled] = client.surfaces.surfaces.values()
            assert pulled.decoded.surface.name == "tetrahedron"
        sent = service.stop()
    assert sent.tools == (*SPHERES_MM, PATIENT)
    np.testing.assert_array_equal(np.diff(sent.sequence), 1)
    assert (np.isnan(sent.matrices[:, -1, 0, 0]) == (sent.validity[:, -1] != "valid")).all()


def test_a_client_gets_no_poses_from_the_pose_process_before_it_has_passed_nor_after_it_has_failed() -> None:
    clock = MonotonicClock()
    with NavigationService(service_config(PoseGraph())) as service:
        endpoints = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        with Mirroring(endpoints, clock) as client:

            def turn(condition: Callable[[], bool], batches: int = 10**9) -> bool:
                last = service.vitals().last_sequence + batches
                deadline_ns = clock.now_ns() + 30 * NS_PER_S
                while not condition() and service.vitals().last_sequence < last:
                    service.poll(1)
                    client.poll(1)
                    assert clock.now_ns() < deadline_ns
                return condition()

            assert turn(lambda: client.control.self_test is SelfTestState.FAILED)
            assert not turn(lambda: client.poses.log.received > 0, batches=50)
            client.mirrors = False
            client.take_test()
            assert turn(lambda: client.poses.log.received > 50)
            client.mirrors = True
            client.take_test()
            client.poses.admit = lambda _: None  # it goes on with the token that it had
            assert turn(lambda: client.control.self_test is SelfTestState.FAILED)
            turn(lambda: False, batches=10)
            received = client.poses.log.received
            assert not turn(lambda: client.poses.log.received > received, batches=100)
        service.stop()


def test_what_a_watch_holds_against_the_reference_is_held_in_the_pose_process_until_a_touch_has_vouched_for_it() -> (
    None
):
    # Three, since a process that is suspended just then, by a busy machine, cannot notice one.
    bumps = tuple(BumpedReference(from_s=at_s, translation_mm=(6.0, 0.0, 0.0)) for at_s in (1.0, 1.5, 2.0))
    clock, cue = MonotonicClock(), Cue()
    room = replace(room_config(), scenario=Scenario(name="bumps", bumped_reference=bumps), cue=cue)
    config = replace(service_config(registered(OperatingRoom(room_config()))), devices=(simulated_device(room),))
    with NavigationService(config) as service:
        endpoints = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        with ReferenceClient(endpoints, clock) as client:

            def until(condition: Callable[[], bool]) -> None:
                deadline_ns = clock.now_ns() + 60 * NS_PER_S
                while not (client.is_ready and condition()):
                    service.poll(1)
                    client.poll(1)
                    assert clock.now_ns() < deadline_ns

            def reason() -> str:
                return client.newest.tools[PATIENT].reason

            until(lambda: client.newest.tools[PATIENT].validity is Validity.VALID)
            cue.give(clock.now_ns())
            until(lambda: "it jumped by 6" in reason())
            now_ns = clock.now_ns()
            seen: set[Validity] = set()
            until(lambda: seen.add(client.newest.tools[PATIENT].validity) or clock.now_ns() > now_ns + NS_PER_S)
            os.kill(service.pose_process.process_id, signal.SIGKILL)
            until(lambda: service.pose_process.restarts == 1)
            last = client.poses.log.last_sequence
            until(lambda: client.poses.log.last_sequence > last + 50)
            until(lambda: seen.add(client.newest.tools[PATIENT].validity) or "it jumped by 6" in reason())
            assert Validity.VALID not in seen
            service.state.registration_verified(STYLUS)
            until(lambda: client.newest.tools[PATIENT].validity is Validity.VALID)
        service.stop()


def test_an_open_address_is_refused_and_nothing_keeps_running() -> None:
    with (
        pytest.raises(EndpointRefusedError, match="loopback"),
        NavigationService(service_config(PoseGraph(), pose_endpoint="tcp://0.0.0.0:5570")),
    ):
        pass
    with (
        pytest.raises(EndpointRefusedError, match="loopback"),
        NavigationService(service_config(PoseGraph(), control_endpoint="tcp://0.0.0.0:5572")),
    ):
        pass


def test_a_tracker_that_cannot_be_opened_is_told_to_the_caller() -> None:
    config = service_config(PoseGraph())
    broken = replace(config, devices=(replace(config.devices[0], driver="nonesuch"),))
    with pytest.raises(DeviceError, match="nonesuch"), NavigationService(broken):
        pass


def test_a_pose_process_that_dies_is_noticed_and_another_goes_on_where_it_ended() -> None:
    clock = MonotonicClock()
    with NavigationService(service_config(PoseGraph())) as service:
        service.update(registered(OperatingRoom(room_config())))
        endpoints = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        with ReferenceClient(endpoints, clock) as client:

            def until(condition: Callable[[], object]) -> None:
                deadline_ns = clock.now_ns() + 60 * NS_PER_S
                while not condition():
                    before = service.vitals().last_sequence
                    service.poll(1)
                    client.poll(1)
                    assert service.vitals().last_sequence >= before, "numbers go on"
                    assert clock.now_ns() < deadline_ns

            def shown(tool: str) -> Validity | None:
                return None if client.newest is None else client.newest.tools[tool].validity

            until(lambda: shown(PATIENT) is Validity.VALID)
            ended = service.pose_process.process_id
            assert ended is not None
            os.kill(ended, signal.SIGKILL)
            until(lambda: not service.pose_process.is_running)
            assert service.state.tools[STYLUS] == (Validity.LOST, "the pose process has ended")
            assert service.state.registration[0] is Validity.LOST
            until(lambda: shown(STYLUS) is Validity.LOST)  # by the client's own clock
            # With the registration that was in force.
            until(lambda: shown(PATIENT) is shown(STYLUS) is Validity.VALID)
            assert service.pose_process.process_id != ended
            assert (service.pose_endpoint, service.pose_process.restarts) == (endpoints.poses, 1)
            until(lambda: service.state.registration[0] is Validity.VALID)
        service.stop()


def test_guidance_that_was_withdrawn_does_not_come_back_with_the_next_pose_process() -> None:
    clock, steered = MonotonicClock(), GuidanceSetup(plan=plan(), tools={STYLUS: False})
    with NavigationService(service_config(PoseGraph(), guidance=steered)) as service:
        service.update(registered(OperatingRoom(room_config())))
        endpoints = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        with ReferenceClient(endpoints, clock) as client:

            def until(condition: Callable[[], object]) -> None:
                deadline_ns = clock.now_ns() + 60 * NS_PER_S
                while not condition():
                    service.poll(1)
                    client.poll(1)
                    assert clock.now_ns() < deadline_ns

            until(lambda: client.guidance and client.guidance[STYLUS].validity is Validity.VALID)
            service.guidance.withdraw("the plan has changed")
            until(lambda: "the plan has changed" in client.guidance[STYLUS].reason)
            os.kill(service.pose_process.process_id, signal.SIGKILL)
            until(lambda: service.pose_process.restarts == 1)
            last = client.poses.log.last_sequence
            guided: set[Validity] = set()
            until(lambda: guided.add(client.guidance[STYLUS].validity) or client.poses.log.last_sequence > last + 50)
            assert guided == {Validity.LOST}
            assert client.poses.guidance.plan.followed == ""
        service.stop()


def test_a_client_without_keys_that_knocks_everywhere_for_ever_is_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Poses are another process's, and each handshake ends in one of two ways: it is one client all the same."""
    security = replace(Guarded(tmp_path).security, unix_time_s=time.time)
    clock, context = MonotonicClock(), zmq.Context()
    with NavigationService(service_config(PoseGraph(), security=security)) as service, caplog.at_level(logging.INFO):
        deadline_ns = clock.now_ns() + 60 * NS_PER_S
        while sum(known.withheld for known in service._refusals._repeated._known.values()) < 60:
            assert clock.now_ns() < deadline_ns
            for endpoint in (service.pose_endpoint, service.surfaces.endpoint, service.control.endpoint):
                with context.socket(zmq.DEALER) as socket:
                    socket.linger = 0
                    socket.connect(endpoint)
                    for _ in range(20):
                        service.poll(1)
    context.term()
    said = [record.getMessage() for record in caplog.records if record.name == "surgnav.wire"]
    assert len(said) == 1
    assert said[0].startswith("refused a peer: no handshake: ")
