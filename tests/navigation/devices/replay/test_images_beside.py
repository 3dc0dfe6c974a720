"""Poses and images of one recording, played by two processes of a service."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from navigation.clock import VirtualClock
from navigation.devices.driver import CasePatient
from navigation.devices.replay import DRIVER
from navigation.room.read_room import room_in
from tests.calibration.ultrasound_probe.targets.recorded import write_sequence

ROOM = b"""
[devices.plus]
driver = "replay"
file = "a.igs.mha"
[tools.reference]
device = "plus"
role = "reference"
id = "ReferenceToTracker"
[tools.probe]
device = "plus"
role = "probe"
id = "ProbeToTracker"
"""


def test_they_are_of_one_time_whenever_each_is_opened(tmp_path: Path) -> None:
    probe, reference = np.tile(np.eye(4), (2, 40, 1, 1))
    probe[:, 0, 3] = np.arange(40)
    images = np.arange(40, dtype=np.uint8)[:, None, None].repeat(64, 1).repeat(64, 2)
    write_sequence(tmp_path / "a.igs.mha", images, {"ProbeToTracker": probe, "ReferenceToTracker": reference})
    (device,) = room_in(ROOM, tmp_path / "or.toml").devices
    clock = VirtualClock(5_000_000_000)
    served = DRIVER.about_patient(device, CasePatient(tmp_path, lambda: None), clock.now_ns())
    tracker = DRIVER.open(served, clock)
    tracker.start()
    seen = {}
    for _ in range(8):
        frame = tracker.next_frame(1_000_000_000)
        seen[frame.capture_ns] = frame.tools["probe"].T_tracker_tool.translation_mm[0]
    source = DRIVER.images(served, clock)
    source.start()  # late
    image = source.next_frame(0)
    assert seen[image.capture_ns] == image.pixels[0, 0] == 7
