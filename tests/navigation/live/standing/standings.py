"""How a service may stand."""

from __future__ import annotations

import numpy as np

from navigation.live.pose_vitals import Vitals
from navigation.live.standing.standing import Standing
from navigation.live.standing.ultrasound import UltrasoundStanding
from navigation.processes.child import ChildState
from navigation.processes.priority import Scheduling
from navigation.recorder.disk import DiskOutlook
from navigation.recorder.writing import RecorderState
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import SelfTestState

MS = 1_000_000


def vitals(*ages_ms: int, capture_ns: int | None = 900 * MS, dropped: int = 0) -> Vitals:
    """Of batches with these ages, in whole ms."""
    histogram = np.zeros(1001, dtype=np.int64)
    for age in ages_ms:
        histogram[min(age, 1000)] += 1
    return Vitals(len(ages_ms), capture_ns, dropped, 2, histogram, float(max(ages_ms, default=0)))


def ultrasound(**changes: object) -> UltrasoundStanding:
    usual = {
        "source": "Image_Reference of plus",
        "model": "bone",
        "state": "usable",
        "reason": "",
        "placing": Validity.VALID,
        "why": "",
        "to_frame": "ct",
        "expected_p95_mm": 1.84,
        "structures": ("bone",),
        "motion": "moves with the probe sideways, at the calibrated lag",
        "rate_hz": 24.6,
        "age_ms": 41.2,
        "used": 310,
        "passed_over": 4,
        "breaks": 1,
    }
    return UltrasoundStanding(**(usual | changes))


def standing(**changes: object) -> Standing:
    usual = {
        "now_ns": 1000 * MS,
        "vitals": vitals(3, 3, 7, 30, 700, 5000, dropped=5),
        "tools": {"stylus": (Validity.VALID, ""), "driver": (Validity.LOST, "hidden")},
        "registration": (Validity.VALID, ""),
        "clients": (("headset", SelfTestState.PASSED), ("tablet", SelfTestState.UNTESTED)),
        "processes": (
            ChildState("recorder", True, 2, "killed by signal 9", 4242),
            ChildState("OpenIGTLink server", False, 0, "exit code 1", None),
        ),
        "recorder": RecorderState("a.mcap", 12_345, 678, 9, DiskOutlook(5 * 10**9, 1e6, 79.0), ""),
        "scheduling": Scheduling(20, -15, 3, True),
        "disk_free_bytes": 42 * 10**9,
        "ultrasound": None,
    }
    return Standing(**(usual | changes))
