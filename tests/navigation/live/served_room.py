"""A simulated operating room with a registration, and the settings to serve it on any free port."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from scipy.spatial.transform import Rotation

from geometry import Surface, Transform
from geometry.frames import CT, STYLUS
from navigation.devices.driver import Device
from navigation.live.offered_surfaces import ApprovedSurface
from navigation.live.pose_graph import CalibratedTip, PoseGraph
from navigation.live.service import ServiceConfig
from navigation.room.instruments import instruments_of
from navigation.simulation.actions import Touch
from navigation.simulation.operating_room import OperatingRoom, OperatingRoomConfig, simulated_device
from navigation.simulation.patient import shaft_directions
from registration.record.accepted import AcceptedRegistration, Evidence

CENTRE = np.array([0.0, 0.0, 0.0])
TETRAHEDRON = Surface(
    np.array([[0, 0, 0], [40, 0, 0], [0, 60, 0], [0, 0, 80.0]]),
    np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
    CT,
    "tetrahedron",
)


def room_config() -> OperatingRoomConfig:
    bare = OperatingRoom(OperatingRoomConfig(seed=1, centre_ct_mm=CENTRE))
    shaft = shaft_directions(np.array([[0.0, -1.0, 0.0]]), bare.towards_camera_ct)[0]
    return OperatingRoomConfig(seed=1, centre_ct_mm=CENTRE, action=Touch(CENTRE + [0.0, -100.0, 0.0], shaft))


def service_config(graph: PoseGraph, **changes: object) -> ServiceConfig:
    surfaces = [ApprovedSurface.of(TETRAHEDRON, "approved", "Dr Test")]
    return ServiceConfig(
        devices=(simulated_device(room_config()),),
        rate_hz=100.0,
        graph=graph,
        surfaces=surfaces,
        **changes,
    )


def registered(room: OperatingRoom) -> PoseGraph:
    tip = Transform.from_rotation(Rotation.identity(), room.tip_stylus_mm, STYLUS, "stylus_tip")
    evidence = measured_now((simulated_device(room.config),), tip, 0.2)
    accepted = AcceptedRegistration(room.T_reference_ct, "r1", 1.0, "accept", "Dr Test", evidence=evidence)
    return PoseGraph({STYLUS: CalibratedTip(tip, 0.2)}, accepted)


def measured_now(devices: Sequence[Device], tip: Transform, tip_error_rms_mm: float) -> Evidence:
    """As if the patient had just been registered in this room, with this tip of its stylus."""
    instruments = instruments_of(devices, tip.to_frame, tip, tip_error_rms_mm)
    return Evidence(datetime.now(UTC).isoformat(), instruments)
