"""``surgnav engine``: a network in other precisions and as a TensorRT plan, and how fast each engine runs it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from navigation.terminal.json_files import write_json_file
from navigation.terminal.reporting import reporting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from geometry.points import Singles
    from navigation.devices.ultrasound.source import GreyPixels
    from reconstruction.network.weights import Weights

engine_app = typer.Typer(help="Networks in other precisions, TensorRT plans, and speed.", no_args_is_help=True)

Model = Annotated[Path | None, typer.Argument(help="JSON description of a network; the shipped CT network by default.")]
INPUT = "a CT (DICOM folder, NIfTI, NRRD, MetaImage) for a network of volumes, a folder of images for one of images"


@engine_app.command("build")
def build_command(
    out: Annotated[Path, typer.Option(help="Folder for the ONNX file, its description and the plan.")],
    precision: Annotated[Literal["fp32", "fp16", "int8"], typer.Option(help="Precision to write.")],
    model: Model = None,
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", help=f"For int8: what decides the scales, like what is in use: {INPUT}."),
    ] = None,
) -> None:
    """Writes a network in another precision, and builds its TensorRT plan where TensorRT is installed."""
    with reporting() as (console, progress):
        from reconstruction.network.forms.write import write_form
        from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights

        description = model or DEFAULT_WEIGHTS
        if calibrate is not None and precision != "int8":
            raise typer.BadParameter("--calibrate belongs to --precision int8")
        progress("writing the network", 0.1)
        inputs = [] if calibrate is None else list(_inputs(calibrate, load_weights(description)))
        written = write_form(description, precision, out, inputs)
        console.print(f"written: {written} and {written.with_suffix('.onnx').name}", highlight=False, markup=False)
        progress("building the plan", 0.6)
        _build_plan(load_weights(written), out, console)


@engine_app.command("bench")
def bench_command(
    on: Annotated[Path, typer.Option("--on", help=f"What the networks run on: {INPUT}.")],
    models: Annotated[
        list[Path] | None,
        typer.Argument(help="JSON descriptions, the one in single precision first; by default the shipped one alone."),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Timed calls of each engine.")] = 20,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
) -> None:
    """Times every engine on a window of a CT or a frame, and says how far each is from single precision."""
    with reporting(json_file=json_file) as (console, progress):
        from dataclasses import asdict

        from navigation.clock import MonotonicClock
        from reconstruction.network.engines.bench import bench
        from reconstruction.network.weights import DEFAULT_WEIGHTS, load_weights

        forms = [load_weights(path) for path in models or [DEFAULT_WEIGHTS]]
        inputs = list(_inputs(on, forms[0]))
        batch = inputs[(len(inputs) - 1) // 2]  # near the middle of the scan
        rows = []
        for row in bench(forms, batch, MonotonicClock(), runs):
            rows.append(asdict(row))
            progress(f"{row.network}: {row.engine}", min(0.95, len(rows) / (5 * len(forms))))
        _show(rows, console)
        if json_file is not None:
            write_json_file(json_file, {"shape": list(batch.shape), "runs": runs, "engines": rows})


def _inputs(path: Path, weights: Weights) -> Iterator[Singles]:
    """Windows of a CT, or frames of a folder, as the network gets them in use."""
    from reconstruction.network.forms.write import calibration_frames, calibration_windows

    if weights.dimensions == 2:
        return calibration_frames(_frames(path), weights)
    from reconstruction.ct.read import read_ct

    return calibration_windows(read_ct(path).volume, weights)


def _frames(folder: Path) -> list[GreyPixels]:
    """Images of a folder, evenly spread over it; those that cannot be read are left out."""
    from navigation.devices.ultrasound.image_folder import ImageFolder
    from navigation.errors import DeviceError
    from reconstruction.network.forms.write import CALIBRATION_FRAMES, spread

    recording = ImageFolder(folder)
    frames = [recording.frame(index) for index in spread(len(recording), CALIBRATION_FRAMES)]
    read = [frame.pixels for frame in frames if frame.pixels is not None]
    if not read:
        raise DeviceError(f"no image that can be read: {frames[0].missing}", "8-bit images", "check the folder")
    return read


def _build_plan(weights: Weights, out: Path, console: Console) -> None:
    from reconstruction.network.engines.cuda_session import find_gpu
    from reconstruction.network.engines.tensorrt_plans import FOLDER, find_or_build
    from reconstruction.network.engines.tensorrt_versions import import_tensorrt
    from reconstruction.network.errors import EngineError

    try:
        gpu = find_gpu()[0]
    except EngineError:
        gpu = None  # TensorRT for RTX does without; TensorRT says that it does not
    try:
        import_tensorrt()
    except EngineError as error:
        console.print(f"no plan: {error.came}; {error.action}", style="yellow", markup=False, highlight=False)
        return
    plan, path = find_or_build(weights, out / FOLDER, gpu)
    counted = ", ".join(f"{count} in {name}" for name, count in plan.precisions.items())
    console.print(
        f"written: {path} ({len(plan.content) / 1e6:.1f} MB) by {plan.builder}: {plan.layers} layers, "
        f"convolutions: {counted}",
        highlight=False,
        markup=False,
    )


def _show(rows: list[dict[str, object]], console: Console) -> None:
    from rich.table import Table

    table = Table("network", "engine", "median ms", "p99 ms", "same class", "largest difference")
    for row in rows:
        if not row["reason"]:
            table.add_row(
                str(row["network"]),
                str(row["engine"]),
                f"{row['median_ms']:.1f}",
                f"{row['p99_ms']:.1f}",
                f"{100 * float(str(row['same_class'])):.3f} %",
                f"{row['largest_difference']:.4f}",
            )
    console.print(table)
    for row in rows:
        if row["reason"]:
            said = f"{row['engine']} does not run {row['network']}: {row['reason']}"
            console.print(said, style="yellow", highlight=False, markup=False)
