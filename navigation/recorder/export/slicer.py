"""A recording as a scene of 3D Slicer: surfaces, where each valid tip was, and the registration, all in ``ct``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from case.atomic import atomic_write
from case.colours import structure_rgba
from case.markups import write_markup
from case.mesh_files import write_surface
from case.names import plain_name
from geometry import Surface, Transform
from geometry.frames import CT, REFERENCE
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.devices.replay.mcap_messages import StoredMessage
from navigation.recorder.contents import RecordingFile
from navigation.recorder.service_tap import FORMS
from navigation.recorder.tap import POSES
from registration.record.transform_files import write_transform
from unity_bridge.errors import WireError
from unity_bridge.poses.batch import PoseBatch, PoseBatchDecoder
from unity_bridge.surfaces.payload import decode_surface
from unity_bridge.wire.convention import pose_from_unity, surface_from_unity
from unity_bridge.wire.envelope import Validity

_PATH_EVERY_NS = NS_PER_S // 10  # a path of an hour then has 36,000 points, which Slicer still draws
_LEAST_STEP_MM = 0.5
_VERSION = "Slicer5.6.2"


@dataclass
class _Paths:
    """Where each tip was in ``ct``, while it and the patient were valid.

    Attributes:
        points: tool -> points in mm, LPS.
        registrations: id -> T_reference_ct, in the order of their first batch.
    """

    points: dict[str, list[Floats]] = field(default_factory=dict)
    registrations: dict[str, Transform] = field(default_factory=dict)
    _last_ns: int = 0

    def take(self, batch: PoseBatch) -> None:
        valid = {
            tool.from_frame: (name, pose_from_unity(tool.pose), tool.registration_id)
            for name, tool in batch.tools.items()
            if tool.validity is Validity.VALID and tool.to_frame == REFERENCE and tool.pose is not None
        }
        if batch.validity is not Validity.VALID or CT not in valid:
            return
        _, T_reference_ct, registration_id = valid.pop(CT)
        self.registrations.setdefault(registration_id, T_reference_ct)
        if batch.capture_ns - self._last_ns < _PATH_EVERY_NS:
            return
        self._last_ns = batch.capture_ns
        T_ct_reference = T_reference_ct.inverse()
        for tool, T_reference_tool, _ in valid.values():
            point = (T_ct_reference @ T_reference_tool).translation_mm
            path = self.points.setdefault(tool, [])
            if not path or np.linalg.norm(point - path[-1]) >= _LEAST_STEP_MM:
                path.append(point)


def write_scene(path: Path, recording: RecordingFile) -> str:
    """Writes ``NAME.mrml``, and beside it what it refers to; returns what is in it.

    Raises:
        OSError: a file cannot be written.
        WireError: a pose batch of another version of the wire.
    """
    paths, decoder = _Paths(), PoseBatchDecoder()
    surfaces: dict[str, Surface] = {}
    for message in recording.messages():
        if message.topic == POSES:
            for batch in _batches(decoder, message):
                paths.take(batch)
        elif message.topic == FORMS:
            surfaces |= {surface.name: surface for surface in _surfaces(message)}
    path.parent.mkdir(parents=True, exist_ok=True)
    stem = path.name.removesuffix(".mrml")
    nodes = [_model(path.parent, stem, number, surface) for number, surface in enumerate(surfaces.values(), 1)]
    named = enumerate(paths.registrations.items(), 1)
    nodes += [_transform(path.parent, stem, number, *each) for number, each in named]
    curves = [each for each in paths.points.items() if len(each[1]) > 1]
    nodes += [_curve(path.parent, stem, number, *each) for number, each in enumerate(curves, 1)]
    lines = [f'<MRML version="{_VERSION}" userTags="">', *(line for node in nodes for line in node), "</MRML>", ""]
    atomic_write(path, "\n".join(lines).encode())
    return f"{len(surfaces)} surfaces, {len(paths.registrations)} registrations, {len(curves)} paths of tools"


def _batches(decoder: PoseBatchDecoder, message: StoredMessage) -> Iterator[PoseBatch]:
    try:
        yield decoder.decode(message.data)
    except WireError:
        return  # another message of the pose socket


def _surfaces(message: StoredMessage) -> Iterator[Surface]:
    """The surface of a payload; the finest of a name comes last. Other forms hold the same one."""
    try:
        yield surface_from_unity(decode_surface(message.data).surface)
    except WireError:
        return


def _model(folder: Path, stem: str, number: int, surface: Surface) -> tuple[str, ...]:
    file, (red, green, blue, opacity) = f"{stem}_{plain_name(surface.name, number)}.ply", structure_rgba(surface.name)
    write_surface(folder / file, surface, (red, green, blue, opacity))
    return (
        f'<ModelStorage id="vtkMRMLModelStorageNode{number}" fileName={quoteattr(file)} coordinateSystem="LPS"/>',
        f'<ModelDisplay id="vtkMRMLModelDisplayNode{number}" color="{red:.4f} {green:.4f} {blue:.4f}" '
        f'opacity="{opacity:g}" visibility="true"/>',
        f'<Model id="vtkMRMLModelNode{number}" name={quoteattr(surface.name)} '
        f'storageNodeRef="vtkMRMLModelStorageNode{number}" displayNodeRef="vtkMRMLModelDisplayNode{number}"/>',
    )


def _transform(folder: Path, stem: str, number: int, name: str, T_reference_ct: Transform) -> tuple[str, ...]:
    file = f"{stem}_{plain_name(name, number)}_reference_to_ras.tfm"
    write_transform(folder / file, T_reference_ct.inverse())
    return (
        f'<TransformStorage id="vtkMRMLTransformStorageNode{number}" fileName={quoteattr(file)}/>',
        f'<LinearTransform id="vtkMRMLLinearTransformNode{number}" name={quoteattr(f"{name} reference to RAS")} '
        f'storageNodeRef="vtkMRMLTransformStorageNode{number}"/>',
    )


def _curve(folder: Path, stem: str, number: int, tool: str, points: list[Floats]) -> tuple[str, ...]:
    file = f"{stem}_{plain_name(tool, number)}.mrk.json"
    controls = [{"id": str(n), "label": "", "position": point.tolist()} for n, point in enumerate(points, 1)]
    write_markup(folder / file, "Curve", f"path of {tool}", controls, locked=True)
    return (
        f'<MarkupsJsonStorage id="vtkMRMLMarkupsJsonStorageNode{number}" fileName={quoteattr(file)}/>',
        f'<MarkupsCurve id="vtkMRMLMarkupsCurveNode{number}" name={quoteattr(f"path of {tool}")} '
        f'storageNodeRef="vtkMRMLMarkupsJsonStorageNode{number}"/>',
    )
