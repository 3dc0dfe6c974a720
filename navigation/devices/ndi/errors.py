"""What can go wrong between this program and an NDI device, by name."""

from __future__ import annotations

from navigation.devices.ndi.words import error_in_words
from navigation.errors import DeviceError


class NdiError(DeviceError):
    """Base of what goes wrong with an NDI device."""


class NdiAnsweredError(NdiError):
    """The device answered a command with ERROR and a code; `code` has it."""

    def __init__(self, code: int, command: str) -> None:
        self.code, self.command = code, command
        came = f"ERROR{code:02X} in answer to {command.partition(':')[0]}: {error_in_words(code)}"
        super().__init__(
            came, "a device that carries the command out", "correct what the device names; it is tried again"
        )

    def __reduce__(self) -> tuple[object, ...]:
        return NdiAnsweredError, (self.code, self.command)


class NdiLineError(NdiError):
    """A serial port that cannot be opened, or was cut."""


class NdiSilenceError(NdiError):
    """No answer in time, or a part of one."""


class NdiReplyError(NdiError):
    """An answer that is none of the protocol: a wrong checksum, garbage, another kind of device."""


class NdiResetError(NdiError):
    """The device was reset while it was in use: switched off and on, or by another program."""
