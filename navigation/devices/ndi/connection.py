"""One connection to an NDI device: set up, asked for frames, and what is new in them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.driver import Device
from navigation.devices.ndi.errors import NdiAnsweredError, NdiError, NdiReplyError, NdiSilenceError
from navigation.devices.ndi.observation import observe
from navigation.devices.ndi.opening import frame_hz, initialise, open_line
from navigation.devices.ndi.ports import set_up_ports
from navigation.devices.ndi.replies import (
    BX_COMMAND,
    BX_STRAYS_COMMAND,
    TX_COMMAND,
    TX_STRAYS_COMMAND,
    PortReading,
    SystemReading,
    read_bx,
    read_tx,
)
from navigation.devices.ndi.settings import ndi_settings
from navigation.devices.ndi.words import PORT_OCCUPIED, SYSTEM_TROUBLES, troubles
from navigation.devices.reader import BackOff, Received
from navigation.devices.tracker import ToolObservation, Visibility

# A reply may be spoilt on the line; so many in a row, and something else is wrong.
_SPOILT_AT_MOST = 3
_SPOILT_SAID_NS = NS_PER_S
_FRAME_REPLY_S = 1.0
_LAST_WORDS_S = 0.5
_UNKNOWN_COMMAND = 0x01
RETRY = BackOff(first_s=5.0, longest_s=300.0)
# Rates of devices differ by half and more; arrivals on a busy machine by less than this.
_RATE_SEEN_AFTER_NS = 2 * NS_PER_S
_RATE_WITHIN = 0.2


class NdiConnection:
    """Satisfies `DeviceConnection`.

    Raises:
        NdiError, OSError: there is no NDI device, or none of its tools can be set up.
    """

    def __init__(self, device: Device, clock: PacedClock) -> None:
        settings = ndi_settings(device)
        self._device, self._clock, self._strays = device, clock, settings.strays
        self._line, self._api = open_line(settings, clock)
        self._spoilt, self._in_ascii = 0, False
        self._spoilt_said = ("", 0)
        self._news = ""
        self._frames: dict[str, int] = {}
        self._set_ups, self._retry_ns = 0, 0
        self._first_frame: tuple[int, int] | None = None
        self._said_of_rate: tuple[str, ...] = ()
        try:
            self._frame_hz = frame_hz(self._api, settings.frame_hz)
            self._set_up()
            begun_ns = clock.now_ns()
            self._ask()
            self.round_trip_ns = clock.now_ns() - begun_ns
        except BaseException:
            self._line.close()
            raise

    def receive(self, timeout_s: float) -> Sequence[Received]:
        """The device's newest frame, as soon as it has a new one."""
        end_ns = self._clock.now_ns() + round(timeout_s * NS_PER_S)
        while True:
            try:
                reading = self._ask()
                self._spoilt = 0
            except (NdiReplyError, NdiSilenceError) as error:
                self._spoilt += 1
                if self._spoilt >= _SPOILT_AT_MOST or isinstance(error, NdiSilenceError):
                    raise
                self._api.await_quiet()
                self._spoilt_said = (error.came, self._clock.now_ns() + _SPOILT_SAID_NS)
                continue
            received = self._new(reading)
            if received or self._clock.now_ns() >= end_ns:
                return received
            self._clock.sleep_until_ns(self._clock.now_ns() + round(0.25 * NS_PER_S / self._frame_hz))

    def close(self) -> None:
        with suppress(NdiError, OSError):
            self._api.do("TSTOP:", _LAST_WORDS_S)
        self._line.close()

    def _set_up(self) -> None:
        self._ports = set_up_ports(self._api, self._device.tools)
        if not self._ports.tools:
            raise NdiError(
                "no tool that can be tracked: " + "; ".join(self._said_of_tools()),
                "one at least",
                "correct what the device says of them; it is tried again",
            )
        self._api.do("TSTART:")
        self._set_ups += 1
        self._retry_ns = self._clock.now_ns() + round(RETRY.pause_s(self._set_ups) * NS_PER_S)

    def _ask(self) -> SystemReading:
        if not self._in_ascii:
            try:
                command = BX_STRAYS_COMMAND if self._strays else BX_COMMAND
                return read_bx(self._api.ask(command, _FRAME_REPLY_S), self._strays)
            except NdiAnsweredError as error:
                if error.code != _UNKNOWN_COMMAND:
                    raise
                self._in_ascii = True
        command = TX_STRAYS_COMMAND if self._strays else TX_COMMAND
        return read_tx(self._api.ask(command, _FRAME_REPLY_S), self._strays)

    def _new(self, reading: SystemReading) -> list[Received]:
        """What of a reply was not in the one before: a message for each frame number in it, the oldest first."""
        if self._is_time_to_set_up(reading):
            self._api.do("TSTOP:")
            initialise(self._api)
            self._set_up()
            return [Received(news=self._changed_news(reading))]
        by_frame: dict[int, dict[str, ToolObservation]] = {}
        without_frame: dict[str, ToolObservation] = {
            name: ToolObservation(Visibility.UNCONFIGURED, reason=why) for name, why in self._ports.troubles.items()
        }
        for port in reading.ports:
            self._sort(port, reading.system_bits, by_frame, without_frame)
        news = self._changed_news(reading)
        if not by_frame:
            return [] if news is None else [Received(news=news)]
        newest = max(by_frame)
        by_frame[newest] |= without_frame
        self._watch_rate(newest)
        received = [
            Received(tools, round(frame * NS_PER_S / self._frame_hz), frame if frame == newest else None, news)
            for frame, tools in sorted(by_frame.items())
        ]
        if reading.strays_mm is not None:
            points = np.array(reading.strays_mm, np.float64).reshape(-1, 3)
            received[-1] = replace(received[-1], strays_mm=points[np.isfinite(points).all(axis=1)])
        return received

    def _sort(
        self,
        port: PortReading,
        system_bits: int,
        by_frame: dict[int, dict[str, ToolObservation]],
        without_frame: dict[str, ToolObservation],
    ) -> None:
        tool = self._ports.tools.get(port.handle)
        if tool is None:
            return
        seen = observe(tool.name, port, system_bits, self._ports.markers.get(tool.name))
        if port.frame is None:
            without_frame[tool.name] = seen
        elif self._frames.get(tool.name) != port.frame:
            self._frames[tool.name] = port.frame
            by_frame.setdefault(port.frame, {})[tool.name] = seen

    def _changed_news(self, reading: SystemReading) -> str | None:
        """What is wrong although the device answers; None if that is as before."""
        said = [*troubles(reading.system_bits, SYSTEM_TROUBLES), *self._said_of_tools(), *self._said_of_rate]
        said += [f"{words} (answer to {command})" for command, words in self._api.warnings.items()]
        words, until_ns = self._spoilt_said
        said += [words] if self._clock.now_ns() < until_ns else []
        news = "; ".join(said)
        if news == self._news:
            return None
        self._news = news
        return news

    def _said_of_tools(self) -> list[str]:
        return [f"{name}: {why}" for name, why in self._ports.troubles.items()]

    def _is_time_to_set_up(self, reading: SystemReading) -> bool:
        """Tools that could not be set up are tried again: at once if one was plugged in, else after pauses that grow,
        for it interrupts the others.
        """
        gone = any(port.frame is None for port in reading.ports if port.handle in self._ports.tools)
        if reading.system_bits & PORT_OCCUPIED and (gone or self._ports.troubles):
            return True
        return bool(self._ports.troubles) and self._clock.now_ns() >= self._retry_ns

    def _watch_rate(self, frame: int) -> None:
        """Frames have their time from their numbers; where these run at another rate than stated, that is said."""
        now_ns = self._clock.now_ns()
        if self._first_frame is None:
            self._first_frame = (frame, now_ns)
        first_frame, first_ns = self._first_frame
        if now_ns - first_ns < _RATE_SEEN_AFTER_NS:
            return
        seen_hz = (frame - first_frame) * NS_PER_S / (now_ns - first_ns)
        if abs(seen_hz - self._frame_hz) > _RATE_WITHIN * self._frame_hz:
            self._said_of_rate = (f"the device counts {seen_hz:.0f} frames a second: say so with frame_hz",)
        self._first_frame = (frame, now_ns)
