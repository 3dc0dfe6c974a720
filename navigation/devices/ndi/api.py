"""One conversation with an NDI device: a command, its answer, and what is wrong with the answer."""

from __future__ import annotations

from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.ndi.errors import NdiAnsweredError, NdiReplyError, NdiResetError, NdiSilenceError
from navigation.devices.ndi.line import Line
from navigation.devices.ndi.wire import Reply, command_bytes, shown, take_reply
from navigation.devices.ndi.words import warning_in_words

_QUIET_S = 0.05
_QUIET_AT_MOST_S = 1.0
_READS_AT_MOST = 16


class CombinedApi:
    """Asks a device, one command at a time.

    Args:
        line: to the device.
        reply_s: how long an answer may take.

    Attributes:
        warnings: those of the device so far, in words, by command.
    """

    def __init__(self, line: Line, clock: PacedClock, reply_s: float) -> None:
        self._line, self._clock, self._reply_s = line, clock, reply_s
        self._buffer = bytearray()
        self.warnings: dict[str, str] = {}

    def ask(self, command: str, within_s: float | None = None) -> Reply:
        """Sends a command, such as ``PENA:0AD``, and waits for its answer.

        Raises:
            NdiAnsweredError: the device answered with an error.
            NdiReplyError: the answer is none of the protocol.
            NdiResetError: the device was reset.
            NdiSilenceError: no answer in time, or a part of one.
            OSError: the line was cut.
        """
        self._forget()
        self._line.write(command_bytes(command))
        name = command.partition(":")[0]
        reply = self._receive(name, self._reply_s if within_s is None else min(within_s, self._reply_s))
        if reply.is_binary:
            return reply
        if reply.text == "RESET":
            raise NdiResetError("that the device was reset", "a device that stays on", "nothing: it is set up anew")
        if reply.text.startswith("ERROR"):
            raise NdiAnsweredError(_code(reply), command)
        if reply.text.startswith("WARNING"):
            self.warnings[name] = warning_in_words(_code(reply))
        return reply

    def do(self, command: str, within_s: float | None = None) -> None:
        """Sends a command that is answered with OKAY, or with a warning.

        Raises:
            as `ask`; NdiReplyError also for any other answer.
        """
        reply = self.ask(command, within_s)
        if reply.is_binary or not reply.text.startswith(("OKAY", "WARNING")):
            raise NdiReplyError(
                f"{shown(reply.body)} in answer to {command.partition(':')[0]}",
                "OKAY",
                "check that an NDI device is at this port",
            )

    def await_reset(self) -> None:
        """Waits for what a device says when it was reset.

        Raises:
            NdiReplyError, NdiSilenceError, OSError: it said nothing, or something else.
        """
        self._buffer.clear()
        reply = self._receive("a serial break", self._reply_s)
        if reply.text != "RESET":
            raise NdiReplyError(
                f"{shown(reply.body)} in answer to a serial break",
                "RESET",
                "check that an NDI device is at this serial port",
            )

    def await_quiet(self) -> None:
        """Throws away what comes, until nothing comes: the next answer is that to the next command.

        Raises:
            OSError: the line was cut.
        """
        end_ns = self._clock.now_ns() + round(_QUIET_AT_MOST_S * NS_PER_S)
        while self._line.read(_QUIET_S) and self._clock.now_ns() < end_ns:
            pass
        self._buffer.clear()

    def _forget(self) -> None:
        """Throws away what is there already: late answers are not those to the next command."""
        for _ in range(_READS_AT_MOST):
            if not self._line.read(0.0):
                break
        self._buffer.clear()

    def pause(self, seconds: float) -> None:
        self._clock.sleep_until_ns(self._clock.now_ns() + round(seconds * NS_PER_S))

    def _receive(self, command: str, within_s: float) -> Reply:
        end_ns = self._clock.now_ns() + round(within_s * NS_PER_S)
        while True:
            reply = take_reply(self._buffer)
            if reply is not None:
                return reply
            remaining_s = (end_ns - self._clock.now_ns()) / NS_PER_S
            data = self._line.read(remaining_s) if remaining_s > 0.0 else b""
            if not data:
                raise self._silence(command, within_s)
            self._buffer += data

    def _silence(self, command: str, within_s: float) -> NdiSilenceError:
        came = f"no answer to {command} within {within_s:.1f} s"
        if self._buffer:
            came = (
                f"a part of an answer to {command}, {shown(bytes(self._buffer))}, and no more within {within_s:.1f} s"
            )
        return NdiSilenceError(came, "a whole answer in time", "check that the device is on, and its cable and port")


def _code(reply: Reply) -> int:
    """The code behind ERROR or WARNING; 0 if there is none."""
    digits = reply.text.removeprefix("ERROR").removeprefix("WARNING")
    try:
        return int(digits or "0", 16)
    except ValueError:
        raise NdiReplyError(
            f"the answer {shown(reply.body)}", "an error with a code", "check that an NDI device is at this port"
        ) from None
