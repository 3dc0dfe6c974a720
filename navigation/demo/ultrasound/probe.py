"""The probe of the ultrasound demo: calibrated in the room before anything is scanned, and kept in a rack."""

from __future__ import annotations

from pathlib import Path

from calibration.rack import all_in_force, keep
from geometry.frames import PROBE
from navigation.demo.ultrasound.patient import GEOMETRY, TRUE_LAG_MS, ScannedBack
from navigation.devices.driver import Role, Tool
from navigation.simulation.ultrasound.calibration_session import rehearsed_probe
from navigation.ultrasound.placing import ProbeInForce


def calibrated_probe(back: ScannedBack, rack: Path, time: str) -> ProbeInForce:
    """The calibrations that the rack then has in force.

    Args:
        rack: folder that they are kept in.
        time: when, ISO 8601 with a time zone.

    Raises:
        ProbeRefusedError, RoomError: a calibration was refused.
    """
    for result in rehearsed_probe(back.room, GEOMETRY, TRUE_LAG_MS, time):
        keep(rack, result)
    tool = Tool(
        name=PROBE, role=Role.PROBE, id=PROBE, settings=None, rack_name=PROBE, calibrations=all_in_force(rack, PROBE)
    )
    return ProbeInForce.of(tool)
