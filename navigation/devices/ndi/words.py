"""The codes and flags of NDI's combined API in words."""

from __future__ import annotations

ERRORS: dict[int, str] = {
    0x01: "the device does not know the command",
    0x02: "the command is too long",
    0x03: "the command is too short",
    0x04: "the checksum of the command was wrong when it arrived",
    0x05: "the device took too long to carry the command out",
    0x06: "the device cannot set the communication up as asked",
    0x07: "wrong number of parameters",
    0x08: "there is no such port handle",
    0x09: "there is no such tracking priority",
    0x0A: "there is no such LED",
    0x0B: "there is no such state of an LED",
    0x0C: "the command is not valid in the mode that the device is in",
    0x0D: "no tool is assigned to the port handle",
    0x0E: "the port handle is not initialised",
    0x0F: "the port handle is not enabled",
    0x10: "the system is not initialised",
    0x11: "the device cannot stop tracking",
    0x12: "the device cannot start tracking",
    0x13: "the device cannot initialise the tool in the port",
    0x14: "the parameters of the position sensor or field generator are not valid",
    0x15: "the device cannot initialise its measurement system",
    0x16: "the device cannot start its diagnosis",
    0x17: "the device cannot stop its diagnosis",
    0x18: "the device cannot find out whether infrared light or metal disturbs it",
    0x19: "the device cannot read its firmware version",
    0x1A: "internal error of the device",
    0x1B: "the device cannot prepare to look for disturbing infrared light",
    0x1C: "the device cannot set how the markers fire",
    0x1D: "the device cannot search for the memories of its tools",
    0x1E: "the device cannot read the memory of the tool",
    0x1F: "the device cannot write the memory of the tool",
    0x20: "the device cannot select the memory of the tool",
    0x21: "the device cannot test the current of the tool",
    0x22: "no camera parameters for the wavelength of a tool in the selected volume",
    0x23: "a parameter is out of range",
    0x24: "the device cannot select parameters by volume",
    0x25: "the device cannot list its features",
    0x28: "too many tools are enabled, or this type of tool is not supported",
    0x29: "the device's firmware is damaged",
    0x2A: "the device has no memory left",
    0x2B: "the port handle was not allocated",
    0x2C: "the port handle has become unoccupied",
    0x2D: "all port handles are taken: fewer tools can be loaded",
    0x2E: "firmware versions that do not fit one another",
    0x2F: "there is no such port",
    0x30: "the port already has a handle",
    0x31: "the state of an input or output is not valid",
    0x32: "not possible with the device behind this port handle",
    0x33: "the device does not have this feature",
    0x34: "the device does not have this parameter",
    0x35: "a value of the wrong type",
    0x36: "a value out of range",
    0x37: "an index out of range",
    0x38: "a value of the wrong size",
    0x39: "permission denied: another program is the device's master, or the parameter can only be read",
    0x3B: "the device does not find the file",
    0x3C: "the device cannot write the file",
    0x3D: "the device cannot read the file",
    0x40: "the tool geometry is damaged, or not in NDI's format",
    0x41: "the device does not support the tool's characteristics",
    0x42: "the device is not present",
    0xF1: "too much infrared light around",
    0xF4: "the device cannot erase its flash memory",
    0xF5: "the device cannot write its flash memory",
    0xF6: "the device cannot read its flash memory",
}

WARNINGS: dict[int, str] = {
    0x01: "possible fault of the device's hardware",
    0x02: "the geometry of the tool does not meet the demands on unique geometries",
    0x03: "the geometry of the tool conflicts with that of another tool",
    0x04: "the geometry of the tool neither meets the demands on unique geometries nor differs from another tool's",
}

OCCUPIED, INITIALISED, ENABLED = 0x0001, 0x0010, 0x0020
OUT_OF_VOLUME, PARTLY_OUT_OF_VOLUME, INTERFERENCE = 0x0040, 0x0080, 0x0200
# What a port says beside these. Polaris and Aurora use bit 8 differently.
PORT_TROUBLES: dict[int, str] = {
    0x0100: "beyond the limits of the device's computation (Polaris), or a broken sensor coil (Aurora)",
    0x0400: "the signal is too small",
    0x0800: "the signal is too large",
    0x1000: "the device failed to process the tool",
    0x2000: "the hardware of the tool failed",
    0x4000: "the device fell behind while processing",
    0x8000: "more markers or data than the device can hold",
}

BAD_FIT, NOT_ENOUGH_MARKERS, TOOL_INTERFERENCE, TOOL_FELL_BEHIND = 0x01, 0x02, 0x04, 0x08
TOOL_FAILED = 0x80
TOOL_TROUBLES: dict[int, str] = {
    BAD_FIT: "the markers do not fit the geometry",
    NOT_ENOUGH_MARKERS: "not enough markers",
    TOOL_INTERFERENCE: "infrared light disturbs it",
    TOOL_FELL_BEHIND: "the device fell behind while processing",
    TOOL_FAILED: "the device failed to process the tool",
}

TOO_MUCH_INFRARED, PORT_OCCUPIED, PORT_UNOCCUPIED = 0x0002, 0x0040, 0x0080
SYSTEM_TROUBLES: dict[int, str] = {
    0x0001: "the parts of the device are out of step",
    TOO_MUCH_INFRARED: "too much infrared light around",
    0x0004: "transmission errors within the device",
    0x0008: "the device had a processing error, and recovered",
    0x0010: "the device's hardware failed",
    0x0020: "the device's hardware was changed, or a field generator taken off",
    PORT_UNOCCUPIED: "a tool was unplugged",
    0x0100: "the device asks to be diagnosed: it may have been bumped",
    0x0200: "the device is too cold or too warm",
    0x0400: "the device's parts were changed",
}


def error_in_words(code: int) -> str:
    return ERRORS.get(code, "a code that the guide does not name")


def warning_in_words(code: int) -> str:
    return WARNINGS.get(code, "a tool fault that is not fatal, such as a marker that burnt out")


def troubles(bits: int, names: dict[int, str]) -> list[str]:
    """The names of the bits that are set."""
    return [words for bit, words in names.items() if bits & bit]
