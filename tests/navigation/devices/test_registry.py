"""A new kind of tracker is a line in the registry: commands take it without being told."""

from __future__ import annotations

from pathlib import Path

import pytest

from navigation.devices import registry
from navigation.devices.registry import SIMULATED, TRACKERS, driver_of
from navigation.errors import DeviceError
from tests.navigation.commands.register.harness import live, make_case


def test_an_unknown_tracker_is_refused_with_those_that_there_are():
    with pytest.raises(DeviceError, match=r"'polaris'.*one of \['simulated'\]"):
        driver_of("polaris")


def test_register_runs_with_a_second_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Another name for a driver of its own, which counts how often it was asked for."""
    asked: list[int] = []

    def rehearse(rehearsal, clock):
        asked.append(rehearsal.seed)
        return TRACKERS[SIMULATED].rehearse(rehearsal, clock)

    other = registry.Driver(TRACKERS[SIMULATED].open, rehearse, TRACKERS[SIMULATED].stream)
    monkeypatch.setitem(TRACKERS, "of_the_lab", other)
    _, said = live(make_case(tmp_path / "case", {}), "q", tracker="of_the_lab", seed=3)
    assert asked == [3]
    assert "Rehearsal" not in said, "only the simulated tracker is a rehearsal"
