"""A new kind of tracker is an entry in the registry: commands take it without being told."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from case.case import Case
from geometry.extras import EXTRAS
from geometry.frames import REFERENCE, STYLUS
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.commands.serve.command import ServeRequest
from navigation.commands.serve.run import serve
from navigation.devices.registry import DRIVERS, driver_of
from navigation.errors import DeviceError
from navigation.room.room_file import DeviceKeys, ToolKeys
from registration.record.in_force import in_force
from registration.uncertainty.expected_error import target_errors_mm
from tests.navigation.commands.register.harness import TARGETS, live, make_case
from tests.navigation.commands.serving import ADDRESSES, PATIENCE_S
from tests.navigation.devices import lab_tracker
from tests.navigation.devices.lab_tracker import NAME, ROOM, T_REFERENCE_CT, T_TRACKER_REFERENCE
from unity_bridge.client.reference_client import Endpoints, ReferenceClient
from unity_bridge.wire.convention import pose_from_unity
from unity_bridge.wire.envelope import Validity


@pytest.fixture
def of_the_lab(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setitem(DRIVERS, NAME, lab_tracker.__name__)
    room = tmp_path / "or.toml"
    room.write_text(ROOM)
    return room


def test_every_driver_can_be_loaded_with_the_base_alone_and_says_what_it_is() -> None:
    for name in DRIVERS:
        driver = driver_of(name)
        assert driver.summary, name
        common = {*DeviceKeys.model_fields, *ToolKeys.model_fields}
        assert not common & {*driver.settings.model_fields, *driver.tool_settings.model_fields}, name
        assert driver.extra is None or driver.extra in EXTRAS, name


def test_an_unknown_driver_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(DeviceError, match=r"'polarys'.*one of \[.*'simulated'"):
        driver_of("polarys")


def test_register_runs_with_a_second_driver(of_the_lab: Path, tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", TARGETS)
    held, said = live(case, "ttttt s c v6\n a y q", tracker=None, room=of_the_lab)
    assert held, said
    accepted = in_force(Case.open(case))
    # Exact poses: what is left is the fit's arithmetic.
    errors_mm = target_errors_mm(accepted.T_reference_ct, T_REFERENCE_CT, np.array(list(TARGETS.values())))
    assert errors_mm.max() < 1e-3
    assert "Rehearsal" not in said, "nothing of this tracker is simulated, as far as the program knows"


class Headset:
    """Joins what is served, and asks to stop once the stylus is shown."""

    def __init__(self, screen: io.StringIO) -> None:
        self.screen, self.client = screen, None
        self.clock = MonotonicClock()
        self.end_ns = self.clock.now_ns() + round(PATIENCE_S * NS_PER_S)
        self.shown: dict[str, object] = {}

    def should_stop(self) -> bool:
        assert self.clock.now_ns() < self.end_ns, self.screen.getvalue()
        if self.client is None:
            poses, surfaces, control = ADDRESSES.search(self.screen.getvalue()).groups()
            endpoints = Endpoints(poses=poses, surfaces=surfaces, control=control)
            self.client = ReferenceClient(endpoints, self.clock).__enter__()
        self.client.poll(1)
        self.shown = dict(self.client.newest.tools) if self.client.is_ready else {}
        return STYLUS in self.shown and self.shown[STYLUS].validity is Validity.VALID


def test_serve_runs_with_a_second_driver(of_the_lab: Path, tmp_path: Path) -> None:
    screen = io.StringIO()
    headset = Headset(screen)
    request = ServeRequest(case=make_case(tmp_path / "case", TARGETS), room=of_the_lab, ports=(0, 0, 0))
    try:
        serve(request, Console(file=screen, width=200), headset.should_stop)
    finally:
        if headset.client is not None:
            headset.client.__exit__(None, None, None)
    tip_tracker_mm = np.array([0.0, 0.0, 1000.0])
    tip_reference_mm = T_TRACKER_REFERENCE.inverse().apply(tip_tracker_mm)
    shown_mm = pose_from_unity(headset.shown[STYLUS].pose).translation_mm
    np.testing.assert_allclose(shown_mm, tip_reference_mm, atol=0.05)
    assert headset.shown[REFERENCE].validity is Validity.VALID
    assert "Rehearsal" not in screen.getvalue()
    assert "Research software" in screen.getvalue()
