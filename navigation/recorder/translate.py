"""What came through a tap, in the forms of a recording: beside our own, those that viewers of others know."""

from __future__ import annotations

import json
import pickle
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from case.colours import structure_rgba
from geometry.extras import from_extra
from navigation.clock import NS_PER_S
from navigation.recorder.forms import (
    LOG,
    SCENE,
    TRANSFORMS,
    Form,
    foxglove_form,
    frame_form,
    note_form,
    surface_form,
    wire_form,
)
from navigation.recorder.service_tap import EVENTS, FORMS, MANIFEST
from navigation.recorder.tap import POSES, Kind, Tapped
from navigation.recorder.ultrasound import UltrasoundForms
from unity_bridge.errors import WireError
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.surfaces.payload import decode_surface
from unity_bridge.wire.convention import MM_PER_M, numbers_from_unity, surface_from_unity
from unity_bridge.wire.envelope import TOOL_VALIDITIES, Validity
from unity_bridge.wire.messages import SurfaceManifest, decode_message

_MATRIX, _COVARIANCE = struct.Struct("16d"), struct.Struct("36d")
# A viewer of a recording needs no more, and each corner is an object in its message.
_MOST_TRIANGLES = 50_000
_ALARMS = ("lost", "withdrawn", "failed", "refused")

Entry = tuple[str, Form, bytes]
"""Topic, form and data of one message of the recording."""


class Translator:
    """Makes the messages of a recording; knows what was said before.

    Args:
        tool_ids: topic of a device's frames -> name of a tool -> its id at the device.
        epoch_ns: what to add to the service's clock for the time since 1970.
    """

    def __init__(self, tool_ids: Mapping[str, Mapping[str, str]], epoch_ns: int) -> None:
        self._tool_ids, self._epoch_ns = tool_ids, epoch_ns
        self._poses = PoseBatchDecoder()
        self._forms: dict[str, bytes] = {}  # payloads that no manifest has named yet, by SHA-256
        self._drawn: dict[str, str] = {}  # surface -> hash of what the scene shows
        with from_extra("navigation"):
            from foxglove import messages
        self._foxglove: Any = messages
        self._ultrasound = UltrasoundForms()

    def entries(self, message: Tapped) -> Iterator[Entry]:
        """The messages of the recording that one tapped message makes."""
        if message.kind is Kind.FRAME:
            yield message.topic, frame_form(), self._frame(message)
        elif message.kind is Kind.ULTRASOUND:
            yield from self._ultrasound.entries(message.data, self._stamp(message.time_ns), self._stamp)
        elif message.kind is Kind.BLOB:
            yield FORMS, surface_form(), message.data
            self._note_form(message.data)
        elif message.kind is Kind.JSON:
            yield message.topic, note_form(), message.data
            if message.topic == EVENTS:
                yield LOG, foxglove_form("Log"), self._log(message)
        else:
            yield message.topic, wire_form(), message.data
            yield from self._shown(message)

    def _shown(self, message: Tapped) -> Iterator[Entry]:
        try:
            if message.topic == POSES:
                yield TRANSFORMS, foxglove_form("FrameTransforms"), self._transforms(message.data)
            elif message.topic == MANIFEST:
                scene = self._scene(decode_message(message.data)[1], message.time_ns)
                if scene is not None:
                    yield SCENE, foxglove_form("SceneUpdate"), scene
        except WireError:
            return  # another message of this socket: it is kept as it is, and nothing of it can be drawn

    def _frame(self, message: Tapped) -> bytes:
        sequence, capture_ns, seen = pickle.loads(message.data)
        ids = self._tool_ids.get(message.topic, {})
        tools = {ids.get(tool[0], tool[0]): _observation(*tool[1:]) for tool in seen}
        return json.dumps({"sequence": sequence, "capture_ns": capture_ns, "tools": tools}).encode()

    def _transforms(self, data: bytes) -> bytes:
        """All valid poses of one batch; what may not be shown as valid is in the wire message only."""
        batch, to = self._poses.decode(data), self._foxglove
        time = self._stamp(batch.capture_ns)
        transforms = []
        for tool in batch.records:
            if TOOL_VALIDITIES[tool[5]] is not Validity.VALID:
                continue
            x, y, z, *rotation = numbers_from_unity(*tool[9:16])
            transforms.append(
                to.FrameTransform(
                    timestamp=time,
                    parent_frame_id=batch.strings[tool[1]],
                    child_frame_id=batch.strings[tool[2]],
                    translation=to.Vector3(x=x, y=y, z=z),
                    rotation=to.Quaternion(**dict(zip("xyzw", rotation, strict=True))),
                )
            )
        encoded: bytes = to.FrameTransforms(transforms=transforms).encode()
        return encoded

    def _note_form(self, data: bytes) -> None:
        try:
            payload = decode_surface(data)
        except WireError:
            return  # compressed, or a GLB: the same surface in another form
        if len(payload.surface.triangles) <= _MOST_TRIANGLES or payload.surface.name not in self._forms:
            self._forms[payload.surface.name] = data  # coarse first, so that the finest of those stays

    def _scene(self, manifest: object, time_ns: int) -> bytes | None:
        """Surfaces that are new on offer, and those that are withdrawn; None if nothing of that has changed."""
        if not isinstance(manifest, SurfaceManifest):
            return None
        offered = {entry.name: entry.sha256 for entry in manifest.surfaces}
        gone = [name for name in self._drawn if name not in offered]
        new = [name for name in offered if self._drawn.get(name) != offered[name] and name in self._forms]
        self._drawn = {name: sha for name, sha in offered.items() if name in self._drawn or name in new}
        to, time = self._foxglove, self._stamp(time_ns)
        entities = [self._entity(name, self._forms.pop(name), time) for name in new]
        deletions = [to.SceneEntityDeletion(timestamp=time, id=name) for name in gone]
        encoded: bytes = to.SceneUpdate(deletions=deletions, entities=entities).encode()
        return encoded if new or gone else None

    def _entity(self, name: str, data: bytes, time: Any) -> Any:
        to = self._foxglove
        surface = surface_from_unity(decode_surface(data).surface)
        red, green, blue, alpha = structure_rgba(name)
        points = [to.Point3(x=x, y=y, z=z) for x, y, z in (surface.vertices_mm / MM_PER_M).tolist()]
        triangles = to.TriangleListPrimitive(
            points=points, indices=surface.triangles.ravel().tolist(), color=to.Color(r=red, g=green, b=blue, a=alpha)
        )
        return to.SceneEntity(timestamp=time, frame_id=surface.frame, id=name, triangles=[triangles])

    def _log(self, message: Tapped) -> bytes:
        to, said = self._foxglove, json.loads(message.data)
        who, kind = said.pop("who"), said.pop("kind")
        level = to.LogLevel.Warning if any(word in kind for word in _ALARMS) else to.LogLevel.Info
        words = ", ".join(f"{name} {value}" for name, value in said.items() if value is not None)
        text = f"{kind}: {words}" if words else kind
        encoded: bytes = to.Log(timestamp=self._stamp(message.time_ns), level=level, name=who, message=text).encode()
        return encoded

    def _stamp(self, time_ns: int) -> Any:
        seconds, rest = divmod(time_ns + self._epoch_ns, NS_PER_S)
        return self._foxglove.Timestamp(seconds, rest)


def _observation(
    state: str,
    matrix: bytes | None,
    fit_rms_mm: float | None,
    reason: str,
    capture_ns: int | None,
    covariance: bytes | None,
    reference: bytes | None,
    stamp_bound_ns: int,
) -> dict[str, Any]:
    """The fields of `ToolMessage`; what is not known is left out."""
    fields = {
        "T_tracker_tool": None if matrix is None else _MATRIX.unpack(matrix),
        "fit_rms_mm": None if fit_rms_mm is None or not np.isfinite(fit_rms_mm) else fit_rms_mm,
        "reason": reason or None,
        "capture_ns": capture_ns,
        "covariance": None if covariance is None else _COVARIANCE.unpack(covariance),
        "T_tracker_reference": None if reference is None else _MATRIX.unpack(reference),
        "stamp_bound_ns": stamp_bound_ns or None,
    }
    return {"state": state.lower(), **{name: value for name, value in fields.items() if value is not None}}
