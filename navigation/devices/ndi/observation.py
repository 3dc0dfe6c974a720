"""From what an NDI device says of a port handle to an observation of the tool, with the reason if there is no pose."""

from __future__ import annotations

from scipy.spatial.transform import Rotation

from geometry import Transform
from geometry.frames import TRACKER
from navigation.devices.ndi.replies import PortReading, Presence
from navigation.devices.ndi.words import (
    ENABLED,
    INITIALISED,
    INTERFERENCE,
    NOT_ENOUGH_MARKERS,
    OUT_OF_VOLUME,
    PARTLY_OUT_OF_VOLUME,
    PORT_TROUBLES,
    TOO_MUCH_INFRARED,
    TOOL_INTERFERENCE,
    TOOL_TROUBLES,
    troubles,
)
from navigation.devices.tracker import ToolObservation, Visibility

# float32 and four decimals keep a unit quaternion far closer to 1; beyond this it is no rotation.
_NORM_WITHIN = 0.01


def observe(tool: str, reading: PortReading, system_bits: int, markers: int | None) -> ToolObservation:
    """The tool in one frame. A pose that is partly or wholly out of the volume is not accurate, and is not given.

    Args:
        tool: its name, which is its frame.
        markers: how many it has; None if that is not known.
    """
    hidden = _hidden(reading, system_bits, markers)
    if hidden is not None:
        return hidden
    pose = reading.pose or ()
    norm = sum(part * part for part in pose[:4]) ** 0.5
    # Also false for what is not a number.
    if not (abs(norm - 1.0) < _NORM_WITHIN and all(abs(value) < 1e6 for value in pose)):
        return ToolObservation(Visibility.NO_DATA, reason="the device gave a pose that is none")
    q0, qx, qy, qz = pose[:4]
    T_tracker_tool = Transform.from_rotation(Rotation.from_quat((qx, qy, qz, q0)), pose[4:7], TRACKER, tool)
    return ToolObservation(Visibility.VISIBLE, T_tracker_tool, fit_rms_mm=pose[7])


def _hidden(reading: PortReading, system_bits: int, markers: int | None) -> ToolObservation | None:
    """Why there is no pose; None if there is one."""
    port, tool = reading.port_bits, reading.tool_bits
    handle = f"port handle {reading.handle:02X}"
    if reading.presence is Presence.DISABLED or (reading.frame is not None and not port & ENABLED):
        what = "disabled" if reading.presence is Presence.DISABLED or port & INITIALISED else "not initialised"
        return ToolObservation(Visibility.UNCONFIGURED, reason=f"{handle} is {what}")
    if reading.presence is Presence.UNOCCUPIED:
        return ToolObservation(Visibility.UNCONFIGURED, reason=f"{handle} is empty: the tool was unplugged")
    if port & OUT_OF_VOLUME:
        return ToolObservation(Visibility.OUT_OF_VOLUME)
    if port & PARTLY_OUT_OF_VOLUME:
        return ToolObservation(Visibility.PARTLY_OUT)
    if reading.presence is Presence.TRACKED:
        return None
    if port & INTERFERENCE or tool & TOOL_INTERFERENCE or system_bits & TOO_MUCH_INFRARED:
        return ToolObservation(Visibility.INTERFERENCE)
    said = troubles(port, PORT_TROUBLES) or troubles(tool, TOOL_TROUBLES)
    if said and not tool & NOT_ENOUGH_MARKERS:
        return ToolObservation(Visibility.NO_DATA, reason="missing: " + ", ".join(said))
    count = "" if reading.markers_seen is None or markers is None else f": {reading.markers_seen} of {markers} markers"
    return ToolObservation(Visibility.OCCLUDED, reason=f"missing{count}" if count else "")
