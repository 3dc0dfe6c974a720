"""What the service itself gives the recorder: the control socket, surfaces on offer, settings, and what happened."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geometry import Transform
from navigation.devices.driver import Device, Settings
from navigation.recorder.tap import Kind, Tap
from unity_bridge.control.event_log import ServerNotice
from unity_bridge.control.server import ControlEvent
from unity_bridge.wire.envelope import Session
from unity_bridge.wire.messages import Declared, SurfaceManifest, Welcome, encode_message

CONTROL_IN, CONTROL_OUT = "/wire/control/in", "/wire/control/out"
WELCOME, MANIFEST, FORMS = "/wire/welcome", "/wire/surfaces", "/surfaces/forms"
SETTINGS, EVENTS = "/settings", "/events"


class ServiceTap:
    """Gives messages of a service, in the wire's own form where they have one.

    Args:
        address: of the recorder; empty without one, and then nothing is given.
        session: stamps the messages that state how things stand: what a client that joins now would be told.
    """

    def __init__(self, address: str, session: Session) -> None:
        self._tap = Tap(address, "service", session.clock) if address else None
        self._session = session
        self._stated = 0

    def begin(self, devices: Sequence[Device], supervisor: object, graph: object, welcome: Welcome) -> None:
        """Gives what is in force at the start."""
        session = self._session
        self.settings("session", {"session_id": session.session_id, "clock_id": session.clock.clock_id})
        self.settings("devices", {"devices": _devices(devices)})
        self.settings("supervisor", vars(supervisor))
        self.settings("graph", vars(graph))
        self.welcome(welcome)

    def control(self, direction: str, message: bytes) -> None:
        """Gives a message of the control socket: ``in`` or ``out``."""
        self._give(Kind.WIRE, CONTROL_IN if direction == "in" else CONTROL_OUT, message)

    def welcome(self, welcome: Welcome) -> None:
        """Gives the state that a client would be welcomed with."""
        self._state(WELCOME, welcome)

    def offer(self, manifest: SurfaceManifest, new: Sequence[bytes]) -> None:
        """Gives what is on offer, after the forms that are new in it."""
        for form in new:
            self._give(Kind.BLOB, FORMS, form)
        self._state(MANIFEST, manifest)

    def settings(self, what: str, values: Mapping[str, Any]) -> None:
        """Gives settings that are in force from now on."""
        self._json(SETTINGS, {"what": what, **values})

    def notice(self, notice: ServerNotice) -> None:
        """Gives what every client is told."""
        self._json(EVENTS, _said("server", notice.kind, notice))

    def events(self, events: Sequence[ControlEvent]) -> None:
        """Gives what clients did."""
        for event in events:
            said = _said(event.client_name, type(event.what).__name__, event.what)
            self._json(EVENTS, said | {"outcome": None if event.answer is None else str(event.answer.outcome)})

    def close(self) -> None:
        """May be called again."""
        if self._tap is not None:
            self._tap.close()

    def _state(self, topic: str, message: Declared) -> None:
        self._stated += 1
        self._give(Kind.WIRE, topic, encode_message(message, self._session, self._stated))

    def _json(self, topic: str, values: Mapping[str, Any]) -> None:
        if self._tap is not None:
            self._tap.give(Kind.JSON, topic, json.dumps(values, default=_plain).encode())

    def _give(self, kind: Kind, topic: str, data: bytes) -> None:
        if self._tap is not None:
            self._tap.give(kind, topic, data)


def _devices(devices: Sequence[Device]) -> list[dict[str, Any]]:
    return [
        {
            "name": device.name,
            "driver": device.driver,
            "T_tracker_device": device.T_tracker_device,
            "is_on_reference": device.is_on_reference,
            "settings": device.settings if isinstance(device.settings, Settings) else None,
            "tools": [{"name": tool.name, "id": tool.id, "role": str(tool.role)} for tool in device.tools],
        }
        for device in devices
    ]


def _said(who: str, kind: str, message: object) -> dict[str, Any]:
    fields = {field.name: getattr(message, field.name) for field in dataclasses.fields(message)}  # type: ignore[arg-type]
    told = {name: value for name, value in fields.items() if value not in (None, "", ()) and name != "kind"}
    return {"who": who, "kind": kind, **told}


def _plain(value: object) -> Any:
    """What JSON has no form for: transforms as 16 numbers in mm row by row, files by what is in them."""
    if isinstance(value, Transform):
        return {"to": value.to_frame, "from": value.from_frame, "matrix": value.matrix.ravel().tolist()}
    if isinstance(value, Settings):
        # Not dict(value): a model with a field called "keys" is taken for a mapping.
        return {name: getattr(value, name) for name in type(value).model_fields}
    if isinstance(value, Path):
        content = value.read_bytes() if value.is_file() else b""
        return {"file": value.suffix, "sha256": hashlib.sha256(content).hexdigest()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return value.hex() if isinstance(value, bytes) else str(value)
