"""A room with a camera and a headset that only shows, and calibrations of headsets in its rack."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.headset.outcome import as_result
from calibration.headset.touches import align_by_touches
from calibration.rack import keep
from calibration.result import CalibrationResult
from geometry import Transform
from navigation.devices.driver import Device, Stamps
from navigation.devices.headset import HeadsetSettings
from navigation.simulation.operating_room import simulated_device
from tests.calibration.headset.harness import touch_errors_mm, touches, truth
from tests.navigation.live.served_room import room_config

ANCHOR = "anchor-1"  # that of the harness's touches
MADE = "2026-11-27T09:15:00+00:00"


def devices(client: str) -> tuple[Device, ...]:
    """The camera leads."""
    shows = Device(
        name="hololens", driver="headset", settings=HeadsetSettings(client=client), stamps=Stamps(None), tools=()
    )
    return simulated_device(room_config()), shows


def calibrated(subject: str = "hololens", made: str = MADE, seed: int = 1) -> tuple[Transform, CalibrationResult]:
    """The true ``T_headset_tracker``, and its calibration by points that a hand touched."""
    rng = np.random.default_rng(seed)
    true = truth(rng)
    found = align_by_touches(touches(true, touch_errors_mm(rng, 6, 2.5, 2.0)))
    return true, as_result(found, subject=subject, made=made)


def racked(rack: Path, subject: str = "hololens", made: str = MADE, seed: int = 1) -> Transform:
    """Keeps one in the rack, and returns its ``T_headset_tracker``."""
    _, result = calibrated(subject, made, seed)
    keep(rack, result)
    return result.transform("headset", "tracker")


def room_file(folder: Path, client: str) -> Path:
    """A room file of the same, with its rack beside it."""
    path = folder / "or.toml"
    path.write_text(
        f"""name = "or"
rack = "rack"

[devices.camera_1]
driver = "simulated"

[devices.hololens]
driver = "headset"
client = "{client}"

[tools.reference]
device = "camera_1"
role = "reference"

[tools.stylus]
device = "camera_1"
role = "stylus"
"""
    )
    return path
