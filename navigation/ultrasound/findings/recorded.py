"""Findings in recordings of ``surgnav serve``, of PLUS, and in swept volumes; in the CT only by the case's own pose."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from case.atomic import file_sha256
from case.case import Case
from geometry import Surface, Transform
from geometry.extras import from_extra
from geometry.frames import CT, REFERENCE
from geometry.points import Floats
from geometry.volume import Volume
from navigation.devices.ultrasound.mcap import FrameNote, McapImages
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundFrame, UltrasoundRecording
from navigation.errors import DeviceError
from navigation.ultrasound.findings.mark import FlatShape, Mark, Marked
from navigation.ultrasound.placing import ContourPlacing
from reconstruction.surfaces.extract import SurfaceSettings, extract_surface
from reconstruction.ultrasound.contours import Contour
from registration.record.attempts import attempt_ids, load_attempt
from unity_bridge.wire.generated.constants import Validity

# What a recording keeps of a pose is the same to the last bit; a person may have written one with fewer digits.
_SAME_MM, _SAME_RAD = 1e-3, 1e-6


def registration_of(case: Case, T_ct_reference: Floats) -> str:
    """Id of the case's registration with this pose ``(4, 4)``; empty where it has none."""
    for attempt_id in reversed(attempt_ids(case)):
        result = load_attempt(case, attempt_id).result
        if result is not None:
            other = result.pose.transform().inverse().matrix
            turned = float(np.abs(other[:3, :3] - T_ct_reference[:3, :3]).max())
            if turned < _SAME_RAD and float(np.abs(other[:3, 3] - T_ct_reference[:3, 3]).max()) < _SAME_MM:
                return attempt_id
    return ""


def marked_in_recording(
    recording: McapImages, case: Case, image: int, pixel: tuple[float, float] | None, structure: str
) -> Marked:
    """The contours of a recorded frame as they were found live, or a pixel, where the frame was placed then.

    Args:
        image: number of the frame.
        pixel: x and y of a point; None for the contours.
        structure: what is marked; of contours, only those of it, or all where it is empty.

    Raises:
        DeviceError: no such frame.
    """
    index = index_of(recording, image)
    note = recording.frame_notes[index]
    place = note.place
    _check(pixel, None if pixel is None else recording.frame(index).pixels)
    if place is None or place.T_reference_probe is None or place.validity != Validity.VALID.value:
        why = "it was not placed" if place is None else f"it is {place.validity}: {place.reason}"
        return Marked(why_not=f"frame {image} cannot be marked: {why}")
    matrix = _matrix(place.T_reference_probe) @ _matrix(place.T_probe_image_px)
    registration, p95_mm = "", place.expected_p95_mm
    if place.T_ct_reference is not None:
        registration = registration_of(case, _matrix(place.T_ct_reference))
        # The stated error is that in the CT, which is another one than in the reference.
        matrix, p95_mm = (_matrix(place.T_ct_reference) @ matrix, p95_mm) if registration else (matrix, None)
    marks = _marks(_contours(note), matrix, pixel, structure, (registration, p95_mm))
    return _found(marks, image, place.shows_ns)


def marked_by_calibration(
    placing: ContourPlacing,
    frame: UltrasoundFrame,
    contours: Sequence[Contour],
    pixel: tuple[float, float] | None,
    structure: str,
) -> Marked:
    """The same in a recording of PLUS, in ``reference``; its error is not known, since the tracker's noise is not.

    Raises:
        DeviceError: a recording without the reference's poses.
    """
    if placing.fixed != REFERENCE:
        came = f"a recording with poses relative to '{placing.fixed}' only"
        raise DeviceError(came, "the poses of the reference as well", "record them: it hangs on the patient")
    if frame.pixels is None or frame.source_ns is None:
        return Marked(why_not=f"frame {frame.sequence} cannot be marked: {frame.missing or 'it has no time'}")
    _check(pixel, frame.pixels)
    matrix = placing.matrix_of(frame.pixels, frame.pixel_mm, frame.source_ns)
    if isinstance(matrix, str):
        return Marked(why_not=f"frame {frame.sequence} cannot be marked: {matrix}")
    return _found(_marks(contours, matrix, pixel, structure, ("", None)), frame.sequence, None)


def volume_surface(case: Case, path: Path, level: int, name: str, max_triangles: int) -> tuple[Surface, str]:
    """The surface in a swept volume from a grey level on, and the registration that places it in ``ct``; empty if none.

    A volume in ``reference`` with the pose that it was swept under comes into ``ct`` where the case has that
    registration. One in ``ct`` must be the case's own.

    Raises:
        DeviceError: a volume of which it is not known where it lies, or that lies in another CT.
    """
    kept = next((each for each in case.artefacts if each.sha256 == file_sha256(path)), None)
    about: dict[str, object] = {}
    if kept is None:
        beside = path.parent / f"{path.name.split('.')[0]}.json"
        try:
            about = dict(json.loads(beside.read_bytes()))
        except (OSError, ValueError) as error:
            came = f"{path.name} without a report beside it ({beside.name})"
            raise DeviceError(
                came, "a volume of surgnav, with its report", "make it: surgnav ultrasound volume"
            ) from error
    placed_by = [each.id for each in kept.made_from if each.id.startswith("registration/")] if kept else []
    frame = CT if placed_by else str(about.get("frame"))
    if frame not in (CT, REFERENCE) or (frame == CT and not placed_by):
        came = f"{path.name}, which lies in '{frame}' and is not the case's own"
        raise DeviceError(
            came, f"one in '{REFERENCE}', or the case's", "make it with --case: surgnav ultrasound volume"
        )
    settings = SurfaceSettings(level=level - 0.5, max_triangles=max_triangles)
    surface = extract_surface(_read_volume(path, frame), name, settings).surface
    if placed_by:
        return surface, Path(placed_by[0]).stem
    swept = about.get("T_ct_reference")
    registration = "" if swept is None else registration_of(case, np.array(swept, np.float64))
    if not registration:
        return surface, ""
    T_ct_reference = Transform(np.array(swept, np.float64), CT, REFERENCE)
    return Surface(T_ct_reference.apply(surface.vertices_mm), surface.triangles, CT, name), registration


def _marks(
    contours: Sequence[Contour],
    matrix: Floats,
    pixel: tuple[float, float] | None,
    structure: str,
    placed: tuple[str, float | None],
) -> tuple[Mark, ...]:
    if pixel is not None:
        return (_mark("point", structure, np.array([pixel], np.float64), matrix, placed),)
    wanted = [each for each in contours if structure in ("", each.structure) and len(each.points_px)]
    return tuple(
        _mark("contour", each.structure, each.points_px, matrix, placed, closed=each.closed) for each in wanted
    )


def _mark(
    shape: FlatShape,
    structure: str,
    points_px: Floats,
    matrix: Floats,
    placed: tuple[str, float | None],
    *,
    closed: bool = False,
) -> Mark:
    registration, p95_mm = placed
    points_mm = points_px @ matrix[:3, :2].T + matrix[:3, 3]
    return Mark(
        shape=shape,
        structure=structure,
        closed=closed,
        in_frame=CT if registration else REFERENCE,
        points_mm=tuple((x, y, z) for x, y, z in points_mm.tolist()),
        p95_mm=p95_mm,
        covariance_mm2=None,
        registration=registration,
    )


def _found(marks: tuple[Mark, ...], image: int, shows_ns: int | None) -> Marked:
    why_not = "" if marks else f"frame {image} has no such contour"
    return Marked(marks=marks, why_not=why_not, image=image, shows_ns=shows_ns)


def index_of(recording: UltrasoundRecording, image: int) -> int:
    """Which frame of a recording has this number.

    Raises:
        DeviceError: none has.
    """
    sequences = recording.sequences
    if image not in sequences:
        came, allowed = f"image {image}, which is not there", f"one from {sequences[0]} to {sequences[-1]}"
        raise DeviceError(came, allowed, "see the images: surgnav ultrasound run RECORDING --every-frame")
    return sequences.index(image)


def _check(pixel: tuple[float, float] | None, pixels: GreyPixels | None) -> None:
    """Refuses a point that is not in the image."""
    if pixel is None:
        return
    height, width = (0, 0) if pixels is None else pixels.shape
    if not (0.0 <= pixel[0] <= width - 1 and 0.0 <= pixel[1] <= height - 1):
        came = f"the pixel {pixel[0]:g}, {pixel[1]:g} of an image of {width} x {height} px"
        raise DeviceError(came, "x and y of a pixel in it", "x along a row, y down the depth, from 0")


def _contours(note: FrameNote) -> list[Contour]:
    return [
        Contour(each.structure, np.array(each.points_px), each.closed, each.confidence, each.area_px2)
        for each in note.contours
    ]


def _matrix(numbers: Sequence[float]) -> Floats:
    return np.array(numbers, np.float64).reshape(4, 4)


def _read_volume(path: Path, frame: str) -> Volume:
    with from_extra("reconstruction"):
        import SimpleITK as sitk

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise DeviceError(f"{path.name}, which cannot be read", "a volume", "name another file") from error
    affine = np.eye(4)
    affine[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
    affine[:3, 3] = image.GetOrigin()
    return Volume(sitk.GetArrayFromImage(image), affine, frame)
