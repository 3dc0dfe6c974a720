"""The work of ``surgnav ultrasound mark``: a point, contours or a volume of a recording, kept in a case as findings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from case.atomic import file_sha256
from case.case import Case, MadeBy
from case.findings.finding import Finding, MarkedIn, made_finding
from case.findings.kept import free_name, keep_finding, surface_path
from case.manifest import Signature
from case.names import in_ascii
from geometry.extras import require_extras
from navigation.clock import MonotonicClock
from navigation.commands.ultrasound.command import MarkRequest
from navigation.devices.ultrasound import mcap
from navigation.devices.ultrasound.mcap import McapImages
from navigation.devices.ultrasound.opening import open_recording
from navigation.errors import DeviceError
from navigation.room.read_room import read_room
from navigation.terminal.reporting import now
from navigation.ultrasound.finding import open_finder, open_judge
from navigation.ultrasound.findings.mark import Marked, keep_marks, shapes_of
from navigation.ultrasound.findings.recorded import (
    index_of,
    marked_by_calibration,
    marked_in_recording,
    volume_surface,
)
from navigation.ultrasound.freehand.files import SUFFIXES
from navigation.ultrasound.pipeline import FramePipeline
from navigation.ultrasound.placing import placing_of
from navigation.user_folders import cache_directory
from reconstruction.ultrasound.contours import Contour

if TYPE_CHECKING:
    from rich.console import Console

_TRIANGLES = 100_000


def mark(request: MarkRequest, console: Console) -> None:
    """Keeps what was asked for, and says where it lies.

    Raises:
        SurgNavError: nothing to be marked, or options that do not belong to such a source.
    """
    by, case = Signature(request.person, now()), Case.open(request.case)
    marked_in = MarkedIn(images=request.source.name)
    if request.level is not None:
        kept = [_volume(request, case, by, marked_in)]
    else:
        found, marked_in = _flat(request, case, marked_in)
        if found.why_not:
            raise DeviceError(
                f"nothing to be marked: {found.why_not}", "a placed frame with it", "choose another frame"
            )
        kept = keep_marks(case, found, by, marked_in)
    console.print(f"marked in the case: {shapes_of(kept)}", highlight=False, markup=False, soft_wrap=True)


def _flat(request: MarkRequest, case: Case, marked_in: MarkedIn) -> tuple[Marked, MarkedIn]:
    """A point or contours of one image."""
    if request.image is None:
        came = "a recording without --image, and no volume with --level"
        raise DeviceError(came, "the number of the image", "pass --image N, as surgnav ultrasound run counts them")
    sha256 = file_sha256(request.source)
    marked_in = marked_in.model_copy(update={"sha256": sha256, "session": sha256})
    recording = open_recording(request.source, None)
    if isinstance(recording, McapImages):
        if request.room is not None or request.model is not None:
            came = "--room or --model with a recording of surgnav serve"
            raise DeviceError(came, "the places and contours that are in it", "leave them out")
        return marked_in_recording(recording, case, request.image, request.pixel, request.structure), marked_in
    if request.room is None or request.source.name.endswith(mcap.SUFFIX):
        came = f"{request.source.name} without --room"
        raise DeviceError(came, "the room whose probe places its frames", "pass --room")
    require_extras("ultrasound")
    placing = placing_of(read_room(request.room), request.source, recording)
    frame, contours = recording.frame(index_of(recording, request.image)), tuple[Contour, ...]()
    if request.pixel is None:
        finder = open_finder(request.model or "nerve_vessel", None, (), MonotonicClock(), cache_directory() / "engines")
        contours = FramePipeline(finder, open_judge(request.model or "nerve_vessel")).process(frame).contours
    calibrated = {
        "probe": placing.probe.name,
        "calibrated": placing.probe.spatial.made,
        "lag_calibrated": placing.probe.temporal.made,
    }
    found = marked_by_calibration(placing, frame, contours, request.pixel, request.structure)
    return found, marked_in.model_copy(update=calibrated)


def _volume(request: MarkRequest, case: Case, by: Signature, marked_in: MarkedIn) -> Finding:
    """The surface of a volume; one in ``ct`` also becomes a suggested structure, for review and headsets."""
    if not request.source.name.lower().endswith(SUFFIXES) or request.image is not None or request.pixel is not None:
        came = f"--level with {request.source.name}" + (
            ", --image or --pixel" if request.image or request.pixel else ""
        )
        raise DeviceError(came, f"a swept volume ({', '.join(SUFFIXES)}) alone", "leave --level out of a recording")
    require_extras("reconstruction")
    structure = in_ascii(request.structure) or "volume"
    name = free_name(case, structure)
    surface, registration = volume_surface(case, request.source, request.level or 0, name, _TRIANGLES)
    sha256 = file_sha256(request.source)
    x, y, z = surface.vertices_mm.mean(axis=0).tolist()
    finding = made_finding(
        name=name,
        shape="volume",
        structure=request.structure,
        in_frame=surface.frame,
        points_mm=((x, y, z),),
        registration=registration,
        registration_sha256=case.artefact(f"registration/{registration}.json").sha256 if registration else "",
        person=by.person,
        time=by.time,
        marked_in=marked_in.model_copy(update={"sha256": sha256, "session": sha256}),
        surface=surface_path(name),
    )
    kept = keep_finding(case, finding, surface)
    if registration:
        case.add_surface(surface, MadeBy.surgnav(by.time, {"person": by.person}), (kept.id,))
    return finding
