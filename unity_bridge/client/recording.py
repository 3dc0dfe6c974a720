"""Recording of everything that a client received, as arrays in one file, to be compared with what was sent."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.points import Floats, read_only
from unity_bridge.client.clock_offset import ClockOffset
from unity_bridge.client.poses.log import LoggedBatch
from unity_bridge.errors import MalformedMessageError
from unity_bridge.surfaces.payload import DecodedSurface
from unity_bridge.wire.convention import UnitySurface

Integers = NDArray[np.int64]
Texts = NDArray[np.str_]


@dataclass(frozen=True, kw_only=True, eq=False)
class ClientRecording:
    """n batches of k tools, and the surfaces, in Unity's convention; arrays are read-only.

    Attributes:
        session_id: sessions ``(n,)``, hexadecimal; sequence numbers count within one session.
        sequence: sequence numbers ``(n,)``.
        capture_ns: sensor times ``(n,)`` on the server's clock.
        received_ns, decoded_ns: times ``(n,)`` converted to the server's clock.
        batch_validity: validity ``(n,)`` of each batch as a whole.
        tools: names ``(k,)`` of all tools received.
        validity: ``(n, k)``: 'valid', 'stale', 'lost', 'suspect', or '' where the batch did not hold the tool.
        reason: ``(n, k)``: '' where none was given.
        position_m: ``(n, k, 3)``: NaN where there is no pose.
        rotation_xyzw: ``(n, k, 4)``: NaN where there is no pose.
        surfaces: the completely received surfaces.
    """

    session_id: Texts
    sequence: Integers
    capture_ns: Integers
    received_ns: Integers
    decoded_ns: Integers
    batch_validity: Texts
    tools: Texts
    validity: Texts
    reason: Texts
    position_m: Floats
    rotation_xyzw: Floats
    surfaces: tuple[DecodedSurface, ...]

    @property
    def latency_ms(self) -> Floats:
        """Latency ``(n,)`` in ms, from the sensor's time stamp to the decoded batch."""
        return (self.decoded_ns - self.capture_ns) / 1e6


_COLUMNS = tuple(name for name in ClientRecording.__dataclass_fields__ if name != "surfaces")


def record(batches: Sequence[LoggedBatch], surfaces: Iterable[DecodedSurface], offset: ClockOffset) -> ClientRecording:
    """Makes a recording of batches and surfaces, with the client's times converted to the server's clock."""
    tools = sorted({tool for logged in batches for tool in logged.batch.tools})
    column = {tool: index for index, tool in enumerate(tools)}
    shape = (len(batches), len(tools))
    validity, reason = np.full(shape, "", object), np.full(shape, "", object)
    position, rotation = np.full((*shape, 3), np.nan), np.full((*shape, 4), np.nan)
    for row, logged in enumerate(batches):
        for name, tool in logged.batch.tools.items():
            at = row, column[name]
            validity[at], reason[at] = tool.validity.value, tool.reason
            if tool.pose is not None:
                position[at], rotation[at] = tool.pose.position_m, tool.pose.rotation_xyzw
    headers = [logged.batch.header for logged in batches]
    return ClientRecording(
        session_id=_texts([header.session_id.hex() for header in headers]),
        sequence=_integers([header.sequence for header in headers]),
        capture_ns=_integers([header.capture_ns for header in headers]),
        received_ns=_integers([offset.to_server_ns(logged.received_ns) for logged in batches]),
        decoded_ns=_integers([offset.to_server_ns(logged.decoded_ns) for logged in batches]),
        batch_validity=_texts([logged.batch.validity.value for logged in batches]),
        tools=_texts(tools),
        validity=_texts(validity),
        reason=_texts(reason),
        position_m=read_only(position),
        rotation_xyzw=read_only(rotation),
        surfaces=tuple(surfaces),
    )


def save_recording(recording: ClientRecording, path: Path) -> None:
    """Writes a recording as a NumPy archive without pickles."""
    arrays = {name: getattr(recording, name) for name in _COLUMNS}
    for index, decoded in enumerate(recording.surfaces):
        surface = decoded.surface
        arrays |= {
            f"surface_{index}_vertices_m": surface.vertices_m,
            f"surface_{index}_normals": surface.normals,
            f"surface_{index}_triangles": surface.triangles,
            f"surface_{index}_step_m": np.float64(decoded.quantisation_step_m),
            f"surface_{index}_names": _texts([surface.frame, surface.name]),
        }
    with path.open("wb") as file:
        np.savez(file, **arrays)


def load_recording(path: Path) -> ClientRecording:
    """Reads the file of `save_recording`.

    Raises:
        MalformedMessageError: the file holds no recording.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: read_only(archive[name]) for name in archive.files}
        count = sum(name.endswith("_step_m") for name in arrays)
        surfaces = tuple(_surface(arrays, f"surface_{index}_") for index in range(count))
        return ClientRecording(**{name: arrays[name] for name in _COLUMNS}, surfaces=surfaces)
    except (EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise MalformedMessageError(
            f"{path.name}, which is no recording ({error})", "a client's recording", "run the client with --record"
        ) from error


def _surface(arrays: dict[str, NDArray[Any]], prefix: str) -> DecodedSurface:
    frame, name = arrays[prefix + "names"].tolist()
    surface = UnitySurface(
        vertices_m=arrays[prefix + "vertices_m"],
        normals=arrays[prefix + "normals"],
        triangles=arrays[prefix + "triangles"],
        frame=frame,
        name=name,
    )
    return DecodedSurface(surface, float(arrays[prefix + "step_m"]))


def _integers(values: list[int]) -> Integers:
    return read_only(np.array(values, dtype=np.int64))


def _texts(values: list[str] | NDArray[np.object_]) -> Texts:
    return read_only(np.array(values, dtype=np.str_))
