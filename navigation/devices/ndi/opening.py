"""Finds an NDI device at the end of a line, whatever state it was left in, and gets it ready for its tools."""

from __future__ import annotations

from contextlib import suppress

from navigation.clock import PacedClock
from navigation.devices.ndi.api import CombinedApi
from navigation.devices.ndi.errors import NdiAnsweredError, NdiReplyError, NdiResetError, NdiSilenceError
from navigation.devices.ndi.line import BAUD_RATES, DEFAULT_BAUD, Line, NetworkLine, SerialLine
from navigation.devices.ndi.settings import NdiSettings

_PROBE_S = 0.5
# The guide asks for this pause before the first command at the new rate.
_BAUD_PAUSE_S = 0.1
_BAD_MODE = 0x0C
_USUAL_FRAME_HZ = 60.0
_FRAME_HZ = "Param.Tracking.Frame Frequency"


def open_line(settings: NdiSettings, clock: PacedClock) -> tuple[Line, CombinedApi]:
    """Opens the line, and initialises the device at the end of it.

    Raises:
        NdiError: what is there does not answer as an NDI device does.
        OSError: there is no such port, or nobody answers there.
    """
    if settings.host is not None:
        line: NetworkLine | SerialLine = NetworkLine(settings.host, settings.port)
    else:
        line = SerialLine(settings.serial_port or "", settings.baud)
    api = CombinedApi(line, clock, settings.reply_s)
    try:
        if isinstance(line, SerialLine):
            _agree_on_baud(line, api, settings.baud)
        initialise(api)
    except BaseException:
        line.close()
        raise
    return line, api


def initialise(api: CombinedApi) -> None:
    """Initialises the device, which forgets all tools; one that was left tracking is stopped first.

    Raises:
        NdiError, OSError: it does not answer as it should.
    """
    try:
        api.do("INIT:")
    except NdiAnsweredError as error:
        if error.code != _BAD_MODE:
            raise
        api.do("TSTOP:")
        api.do("INIT:")


def _agree_on_baud(serial: SerialLine, api: CombinedApi, baud: int) -> None:
    """A device is at the rate that it was left at, or at 9600 after a reset, which a serial break brings about."""
    if _answers(api):
        return
    serial.set_baud(DEFAULT_BAUD)
    serial.send_break()
    api.await_reset()
    if baud == DEFAULT_BAUD:
        return
    api.do(f"COMM:{BAUD_RATES[baud]}0000")
    api.pause(_BAUD_PAUSE_S)
    serial.set_baud(baud)
    if not _answers(api):
        raise NdiSilenceError(
            f"no answer at {baud} baud, although the device agreed to it",
            "a line that carries this rate",
            f"choose a lower baud in the room file, such as {DEFAULT_BAUD}",
        )


def _answers(api: CombinedApi) -> bool:
    """Whether the device understands us at this rate; an error is an answer too."""
    try:
        api.ask("APIREV:", _PROBE_S)
    except (NdiAnsweredError, NdiResetError):
        return True  # RESET is what a device says when it was just switched on
    except (NdiSilenceError, NdiReplyError):
        api.await_quiet()
        return False
    return True


def frame_hz(api: CombinedApi, stated_hz: float | None) -> float:
    """Asks for every frame, and for the rate at which the device counts them; old devices know neither."""
    with suppress(NdiAnsweredError):
        api.do("SET:Param.Tracking.Track Frequency=2")
    if stated_hz is not None:
        return stated_hz
    try:
        name, _, value = api.ask(f"GET:{_FRAME_HZ}").text.strip().partition("=")
        return float(value) if name == _FRAME_HZ and 0.0 < float(value) <= 1000.0 else _USUAL_FRAME_HZ
    except (NdiAnsweredError, ValueError):
        return _USUAL_FRAME_HZ
