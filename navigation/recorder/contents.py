"""What a recording holds, read in the order in which it was given; see `navigation.recorder.forms` for the topics."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from navigation.devices.replay.mcap_messages import McapMessages, StoredMessage
from navigation.errors import RecordingError
from navigation.recorder.service_tap import SETTINGS, WELCOME
from unity_bridge.wire.messages import Welcome, decode_message


class RecordingFile:
    """A recording of the recorder, whole or cut.

    Args:
        path: the file.

    Attributes:
        epoch_ns: what the service's clock lacks for the time since 1970.
        settings: what -> the first settings of that kind, such as ``session`` and ``devices``.
        welcome: what a client was told that joined at the start.
        faults: what is damaged, as far as it was read.

    Raises:
        RecordingError: no such file, or no recording of a service.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.settings: dict[str, dict[str, Any]] = {}
        self.is_closed = False
        self.faults: list[str] = []
        welcome: Welcome | None = None
        for message in self._stored():
            if message.topic == SETTINGS:
                values = note_of(message)
                self.settings.setdefault(values.pop("what"), values)
            elif message.topic == WELCOME and welcome is None:
                welcome = _welcome(message)
            if welcome is not None and {"session", "devices", "graph"} <= self.settings.keys():
                break
        if welcome is None or "session" not in self.settings:
            came = f"{path.name}, which holds no session of the service{f' ({self.faults[0]})' if self.faults else ''}"
            raise RecordingError(came, "a recording of surgnav serve", "name a file in the case's folder recordings")
        self.welcome = welcome

    @property
    def session_id(self) -> bytes:
        return bytes.fromhex(self.settings["session"]["session_id"])

    @property
    def clock_id(self) -> str:
        return str(self.settings["session"]["clock_id"])

    def messages(self) -> Iterator[StoredMessage]:
        """Every message from the start, with its time on the service's clock; what is damaged is left out."""
        yield from self._stored()

    def _stored(self) -> Iterator[StoredMessage]:
        stored = McapMessages(self.path)
        self.faults = stored.faults
        try:
            for message in stored:
                epoch_ns = int(stored.metadata.get("surgnav", {}).get("epoch_ns", 0))
                time_ns = message.time_ns - epoch_ns
                self.epoch_ns = epoch_ns
                yield StoredMessage(message.topic, message.schema, message.encoding, time_ns, message.data)
        except OSError as error:
            came = f"{self.path.name}: {error.strerror or error}"
            raise RecordingError(came, "a file that can be read", "check the path") from error
        self.is_closed = stored.is_closed


def note_of(message: StoredMessage) -> dict[str, Any]:
    """The content of settings, of an event, or of what the recorder says of itself."""
    values: dict[str, Any] = json.loads(message.data)
    return values


def _welcome(message: StoredMessage) -> Welcome | None:
    welcome = decode_message(message.data)[1]
    return welcome if isinstance(welcome, Welcome) else None
