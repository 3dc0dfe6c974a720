"""A headset that may have slept, over the real service: which touch brings its overlay back, and which does not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from case.case import Case
from geometry import Transform
from geometry.frames import HEADSET, STYLUS
from navigation.headset.event_handler import HeadsetEventSettings
from navigation.live.service import NavigationService
from navigation.simulation.operating_room import OperatingRoom
from tests.navigation.headset.harness import CLOCK, Serving
from tests.navigation.live.racked import ANCHOR, devices, racked
from tests.navigation.live.served_room import registered, room_config, service_config
from tests.registration.record.harness import case  # noqa: F401 - a fixture
from unity_bridge.client.reference_client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.wire.convention import points_to_unity, pose_from_unity
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import EventOutcome
from unity_bridge.wire.messages import EventAnswer


class Worn(Serving):
    """A headset whose overlay is doubted, since it was silent."""

    def overlay(self) -> Validity:
        list(self.service.overlays.lines())  # which look at the silence, as the operator's screen does
        ((_, validity, _),) = self.service.overlays.states
        return validity

    def hear(self) -> None:
        self.client.control.observe(ANCHOR, CLOCK.now_ns(), ())
        for _ in range(5):
            self.service.poll(1)
            self.client.poll(1)

    def fall_asleep(self) -> None:
        self.until(lambda: self.hear() or self.overlay() is Validity.VALID)
        self.until(lambda: self.overlay() is Validity.SUSPECT)
        self.hear()
        assert self.overlay() is Validity.SUSPECT

    def tip_tracker_mm(self) -> np.ndarray:
        """By the poses that this headset is sent."""

        def placed(name: str) -> Transform | None:
            shown = self.client.newest
            pose = None if shown is None else shown.tools[name].pose
            return None if pose is None else pose_from_unity(pose)

        self.until(lambda: placed("reference") is not None and placed(STYLUS) is not None)
        return (placed("reference") @ placed(STYLUS)).translation_mm

    def touch(self, T_headset_tracker: Transform, off_mm: list[float]) -> EventAnswer:
        """Again where the simulated stylus was hidden just then, as a person does."""
        for _ in range(20):
            at = tuple(points_to_unity(T_headset_tracker.apply(self.tip_tracker_mm()) + off_mm).tolist())
            answer = self.send("target_touched", name="1", frame=HEADSET, position_m=at, tool=STYLUS, anchor=ANCHOR)
            self.hear()
            if "it is not known where the tip was" not in answer.came:
                break
        return answer


@pytest.fixture
def worn(tmp_path: Path, case: Case) -> Iterator[tuple[Worn, Transform]]:  # noqa: F811
    T_headset_tracker = racked(tmp_path / "rack")
    config = service_config(
        registered(OperatingRoom(room_config())), headset_events=HeadsetEventSettings(case=case.root)
    )
    config = replace(config, devices=devices("headset"), rack=tmp_path / "rack")
    with NavigationService(config) as service:
        endpoints = Endpoints(
            poses=service.pose_endpoint, surfaces=service.surfaces.endpoint, control=service.control.endpoint
        )
        with ReferenceClient(endpoints, CLOCK, ClientSettings(name="headset")) as client:
            running = Worn(service, client)
            running.until(lambda: client.is_ready)
            running.fall_asleep()
            yield running, T_headset_tracker


def test_a_shown_point_that_is_touched_brings_it_back(worn: tuple[Worn, Transform]) -> None:
    headset, T_headset_tracker = worn
    answer = headset.touch(T_headset_tracker, [1.0, 0.0, -1.0])
    assert answer.outcome is EventOutcome.ACCEPTED, answer
    assert "mm off; 95 of 100 are within" in answer.note
    assert headset.overlay() is Validity.VALID


def test_a_touch_that_verifies_the_registration_leaves_the_doubt_of_the_anchor(worn: tuple[Worn, Transform]) -> None:
    headset, _ = worn
    headset.service.state.registration_verified(STYLUS)
    headset.hear()
    assert headset.overlay() is Validity.SUSPECT


def test_a_shown_point_elsewhere_ends_the_calibration(worn: tuple[Worn, Transform]) -> None:
    headset, T_headset_tracker = worn
    answer = headset.touch(T_headset_tracker, [40.0, 0.0, 0.0])
    assert "calibrate the headset anew" in answer.note
    assert headset.overlay() is Validity.LOST
