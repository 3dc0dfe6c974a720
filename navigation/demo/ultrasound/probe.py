"""The probe of the ultrasound demo: calibrated in the room before anything is scanned, and kept in a rack."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from calibration.rack import all_in_force, keep
from calibration.ultrasound_probe.results import probe_spatial_result, probe_temporal_result
from calibration.ultrasound_probe.targets.calibrate import CROSS, METHODS
from geometry.frames import PROBE, REFERENCE
from navigation.demo.ultrasound.patient import GEOMETRY, TRUE_LAG_MS, ScannedBack, true_room
from navigation.devices.driver import Role, Tool
from navigation.errors import AcquisitionError
from navigation.simulation.ultrasound.calibration_session import CalibrationSession
from navigation.simulation.ultrasound.scan_path import true_columns_mm
from navigation.ultrasound.placing import ProbeInForce


def calibrated_probe(back: ScannedBack, rack: Path, time: str) -> ProbeInForce:
    """The calibrations that the rack then has in force.

    Args:
        rack: folder that they are kept in.
        time: when, ISO 8601 with a time zone.

    Raises:
        ProbeRefusedError, RoomError: a calibration was refused.
    """
    room = true_room(back)
    T_tracker_reference = room.pose(REFERENCE, 0)
    if T_tracker_reference is None:
        raise AcquisitionError("a reference out of sight", "one that the camera sees", "use another --seed")
    session = CalibrationSession(
        geometry=GEOMETRY,
        columns_mm=true_columns_mm(GEOMETRY),
        lag_s=1e-3 * TRUE_LAG_MS,
        T_tracker_reference=T_tracker_reference,
        watch=back.watching,
    )
    spatial, temporal = session.run(np.random.default_rng([back.room.seed, 8]))
    keep(rack, probe_spatial_result(spatial, time, METHODS[CROSS], numbers=GEOMETRY.numbers()))
    keep(rack, probe_temporal_result(temporal, PROBE, np.arange(len(temporal.used), dtype=np.float64), time))
    tool = Tool(
        name=PROBE, role=Role.PROBE, id=PROBE, settings=None, rack_name=PROBE, calibrations=all_in_force(rack, PROBE)
    )
    return ProbeInForce.of(tool)
