"""The work of ``surgnav ultrasound run``: stills and whole recordings one by one, or a source as it comes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack, nullcontext
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from geometry.extras import require_extras
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.commands.ultrasound.command import UltrasoundRequest
from navigation.commands.ultrasound.screen import print_summary
from navigation.devices.driver import Device, Role
from navigation.devices.ultrasound.opening import open_recording
from navigation.devices.ultrasound.source import UltrasoundRecording
from navigation.errors import DeviceError
from navigation.processes.priority import ULTRASOUND, going_first
from navigation.room.opening import begun
from navigation.room.read_room import read_room
from navigation.room.room_images import device_with_images
from navigation.terminal.json_files import write_json_file
from navigation.terminal.stopping import stop_requested
from navigation.ultrasound.drawing import Caption, draw, picture_height
from navigation.ultrasound.finding import ContourFinder, open_finder, open_judge, sample_frames
from navigation.ultrasound.live_view import VIDEO_HZ, LiveView, Outputs
from navigation.ultrasound.messages import Ended
from navigation.ultrasound.outputs import VIDEO, Video, save_picture
from navigation.ultrasound.pipeline import FramePipeline, FrameResult
from navigation.ultrasound.placing import ContourPlacing, placing_of
from navigation.ultrasound.process import UltrasoundProcess
from navigation.ultrasound.record import ContourRecord
from navigation.ultrasound.room_poses import RoomPoses
from navigation.ultrasound.shown import Display
from navigation.ultrasound.summary import Summary
from navigation.ultrasound.window import Window, has_screen
from navigation.ultrasound.worker import WorkerConfig
from navigation.user_folders import cache_directory

if TYPE_CHECKING:
    from rich.console import Console

    from navigation.terminal.progress import ProgressLine

Placing = ContourPlacing | RoomPoses


def run(request: UltrasoundRequest, console: Console, progress: ProgressLine) -> None:
    """Runs the model on the source, records, and prints a summary.

    Raises:
        SurgNavError: an unreadable source, an unknown model, no engine, a folder that holds a record.
    """
    require_extras("ultrasound")
    folder = request.out or Path("out", "ultrasound", datetime.now().strftime("%Y-%m-%d_%H-%M-%S"))
    summary, ended = Summary(), None
    if request.source is None:
        placing, ended = _of_a_room(request, folder, summary, console, progress)
    else:
        recording = open_recording(request.source, request.rate_hz)
        for note in recording.notes:
            console.print(f"{Path(recording.name).name}: {note}", highlight=False, markup=False)
        placing = None if request.room is None else placing_of(read_room(request.room), request.source, recording)
        _say_probe(placing, console)
        if recording.times_ns is None or request.every_frame:
            _one_by_one(request, recording, folder, summary, progress, placing)
        else:
            about = {"source": recording.name, "notes": recording.notes}
            ended = _as_it_comes(request, str(request.source), folder, summary, progress, (placing, about))
    numbers = summary.as_json(ended)
    if placing is not None:
        numbers |= {"frames_placed": placing.n_placed, "frames_not_placed": placing.n_refused}
    print_summary(numbers, folder, console)
    if request.json_file is not None:
        write_json_file(request.json_file, numbers)


def _say_probe(placing: Placing | None, console: Console) -> None:
    if placing is not None:
        console.print(placing.probe.line(datetime.now().astimezone()), highlight=False, markup=False)


def _of_a_room(
    request: UltrasoundRequest, folder: Path, summary: Summary, console: Console, progress: ProgressLine
) -> tuple[Placing | None, Ended]:
    """The images of a room's device as they come, until a person ends it; placed where the room has a probe.

    Raises:
        DeviceError: neither a recording nor a room, or an option that is of recordings only.
        RoomError: not one device gives images, or a probe without calibrations in force.
    """
    of_recordings = {"--rate": request.rate_hz, "--every-frame": request.every_frame, "--loop": request.loop}
    given = [name for name, value in (of_recordings | {"--speed": request.speed != 1.0}).items() if value]
    if request.room is None or given:
        came = "neither a recording nor --room" if request.room is None else f"{', '.join(given)} without a recording"
        allowed = "a recording, with or without --room; or --room alone, for the live images of its devices"
        raise DeviceError(came, allowed, "name the recording, or leave the option out" if given else "name one of them")
    clock = MonotonicClock()
    room = begun(read_room(request.room), clock.now_ns())
    device = device_with_images(room.name, room.devices, clock)
    if request.model is None and room.ultrasound is not None:
        request = replace(request, model=room.ultrasound.model)
    has_probe = any(tool.role is Role.PROBE for tool in room.tools)
    with RoomPoses(room, clock) if has_probe else nullcontext() as placing:
        _say_probe(placing, console)
        if placing is None:
            console.print(f"{room.name}: no probe, so contours are in pixels only", highlight=False, markup=False)
        about = {"source": f"{device.name} of {room.name}", "notes": ()}
        return placing, _as_it_comes(request, device, folder, summary, progress, (placing, about))


def _one_by_one(
    request: UltrasoundRequest,
    recording: UltrasoundRecording,
    folder: Path,
    summary: Summary,
    progress: ProgressLine,
    placing: Placing | None,
) -> None:
    """Every frame, however long it takes. Stills have nothing to do with one another; a recording is a sequence."""
    progress("loading the model", 0.0)
    model = _model(request)
    samples, cache = sample_frames(recording, open_judge(model)), cache_directory() / "engines"
    finder = open_finder(model, request.engine, samples, MonotonicClock(), cache)
    place = None if placing is None else placing.place
    about = {"source": recording.name, "notes": recording.notes, "model": finder.name, "live": False, **_about(placing)}
    caption = Caption(Path(recording.name).name, finder.name)
    with ExitStack() as stack:
        record = stack.enter_context(ContourRecord(folder, about, place))
        rate_hz = _rate_hz(recording.times_ns)
        video = None if rate_hz is None else stack.enter_context(Video(folder / VIDEO, rate_hz))
        height = 0
        for result in _results(recording, finder, model):
            record.add(result)
            summary.add(result)
            display = Display(rate_hz or 1.0)
            display.take(result)
            size = None if result.pixels is None else result.pixels.shape
            height = height if height and video is not None else picture_height(size)
            picture = draw(display.at(result.capture_ns or 0), caption, height)
            if video is None:
                save_picture(picture, folder / "pictures" / f"{result.sequence:05d}_{Path(result.label).stem}.png")
            else:
                video.add(picture)
            progress(f"frame {result.sequence + 1} of {len(recording)}", (result.sequence + 1) / len(recording))


def _results(recording: UltrasoundRecording, finder: ContourFinder, model: str) -> Iterable[FrameResult]:
    pipeline = FramePipeline(finder, open_judge(model))
    for index in range(len(recording)):
        yield pipeline.process(recording.frame(index))


def _rate_hz(times_ns: tuple[int, ...] | None) -> float | None:
    if times_ns is None or len(times_ns) < 2 or times_ns[-1] <= times_ns[0]:
        return None
    return (len(times_ns) - 1) * NS_PER_S / (times_ns[-1] - times_ns[0])


def _as_it_comes(
    request: UltrasoundRequest,
    source: str | Device,
    folder: Path,
    summary: Summary,
    progress: ProgressLine,
    what: tuple[Placing | None, Mapping[str, object]],
) -> Ended:
    """In its own time, by a process of its own, of which only what is young is shown.

    Args:
        source: as the process takes it.
        what: who places the frames, and what the record says of the source.
    """
    clock, (placing, told) = MonotonicClock(), what
    config = WorkerConfig(
        source=source,
        rate_hz=request.rate_hz,
        speed=request.speed,
        loop=request.loop,
        model=_model(request),
        engine=request.engine,
        cache=cache_directory() / "engines",
        endpoint="",
    )
    wants_window = _wants_window(request.window)
    progress("loading the model", 0.0)
    with ExitStack() as stack:
        with going_first(request.priority, ULTRASOUND):
            process = stack.enter_context(UltrasoundProcess(config, clock))
        place = None if placing is None else placing.place
        about = {**told, "model": process.started.finder, **_about(placing)}
        record = stack.enter_context(ContourRecord(folder, about | {"live": True, "clock": clock.clock_id}, place))
        video = stack.enter_context(Video(folder / VIDEO, VIDEO_HZ))
        window = Window() if wants_window else None
        if window is not None:
            stack.callback(window.close)
        outputs = Outputs(folder=folder, record=record, video=video, window=window)
        should_stop = stack.enter_context(stop_requested())
        end_ns = None if request.seconds is None else clock.now_ns() + round(request.seconds * NS_PER_S)
        progress(f"running on {told['source']}; Ctrl-C ends", 0.0)
        view = LiveView(process, outputs, summary, clock)
        return view.run(lambda: should_stop() or (end_ns is not None and clock.now_ns() >= end_ns))


def _model(request: UltrasoundRequest) -> str:
    return request.model or "nerve_vessel"


def _about(placing: Placing | None) -> dict[str, object]:
    """What the first line of a record says of the probe's calibration."""
    if placing is None:
        return {}
    probe = placing.probe
    made = {"spatial": probe.spatial.made, "temporal": probe.temporal.made}
    return {"probe": {"name": probe.name, "to_frame": placing.fixed, "lag_ms": 1e3 * probe.lag_s, **made}}


def _wants_window(wanted: bool | None) -> bool:
    """Whether to open a window: where one is asked for, or where nothing was said and there is a screen.

    Raises:
        DeviceError: one is wanted and there is no screen.
    """
    if wanted and not has_screen():
        raise DeviceError(
            "no screen that this program may draw on (DISPLAY)",
            "a desktop, or X forwarding",
            "leave --window out: pictures and a video are written in any case",
        )
    return wanted is not False and has_screen()
