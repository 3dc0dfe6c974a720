"""The commands ``surgnav train`` and ``surgnav evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from navigation.terminal.json_files import write_json_file
from navigation.terminal.reporting import reporting

if TYPE_CHECKING:
    from navigation.terminal.progress import ProgressLine
    from reconstruction.training.evaluate import Evaluation
    from reconstruction.training.images.evaluate import ImageEvaluation


def train_command(
    config: Annotated[Path | None, typer.Argument(help="TOML that describes data and training.")] = None,
    parent: Annotated[
        Path | None,
        typer.Option("--from", help="Tune this network (its JSON description) on a site's own scans; needs --scans."),
    ] = None,
    scans: Annotated[
        Path | None, typer.Option(help="For --from: folder of labelled scans, a folder each, three at least.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the exported network.")] = Path("out/train"),
    data: Annotated[
        Path | None, typer.Option(help="Folder that the TOML's paths lie under; by default its own.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
    iterations: Annotated[int | None, typer.Option(min=1, help="For --from: windows to learn from.")] = None,
) -> None:
    """Trains a U-Net on labelled CT or images, as the TOML says; or tunes one on a few scans of a site with --from."""
    if (config is None) == (parent is None):
        raise typer.BadParameter("give a TOML to train by, or --from a network to tune")
    if config is None:
        if parent is None or scans is None or data is not None or resume:
            raise typer.BadParameter("--from goes with --scans, and with neither --data nor --resume")
        from navigation.commands.tuning import tune_and_show

        tune_and_show(parent, scans, out, iterations)
        return
    if scans is not None or iterations is not None:
        raise typer.BadParameter("--scans and --iterations go with --from")
    from reconstruction.training.train import run_training

    with reporting() as (console, progress):

        def show(iteration: int, iterations: int, loss: float) -> None:
            progress(f"iteration {iteration} of {iterations}, loss {loss:.4f}", iteration / iterations)

        trained = run_training(config, out, resume=resume, progress=show, data=data)
        console.print(trained)


def evaluate_command(
    what: Annotated[
        Path, typer.Argument(help="DICOM folder of a CT; or the training TOML of a 2D network, for its images.")
    ],
    masks: Annotated[
        Path | None, typer.Argument(help="For a CT: folder of DICOM mask series, one folder a mask, as in 3D-IRCADb.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="For images: folder that the TOML's paths lie under.")] = None,
    part: Annotated[
        Literal["held_out", "validation", "training"], typer.Option(help="For images: which part of the TOML's split.")
    ] = "held_out",
    model: Annotated[
        Path | None,
        typer.Option(help="JSON description of a network; else a shipped one: for images of the TOML's name."),
    ] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="For images: folder for a picture of the worst, median and best frame.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")] = None,
) -> None:
    """Dice of a network against masks by people: surface distance too on a CT, calibration too on images."""
    with reporting(json_file=json_file) as (console, progress):
        result: Evaluation | ImageEvaluation
        if what.suffix == ".toml":
            if masks is not None:
                raise typer.BadParameter("MASKS belongs to a CT; the TOML says where the masks of its images lie")
            result = _evaluate_images(what, data, part, model, pictures, progress)
        else:
            if masks is None or data or pictures:
                raise typer.BadParameter("a CT needs MASKS, and neither --data nor --pictures")
            result = _evaluate_ct(what, masks, model, progress)
        console.print(result.table(), highlight=False, markup=False)
        if json_file is not None:
            write_json_file(json_file, result.document())


def _evaluate_ct(ct: Path, masks: Path, model: Path | None, progress: ProgressLine) -> Evaluation:
    from reconstruction.network.weights import load_weights
    from reconstruction.training.evaluate import evaluate_dicom_masks

    weights = None if model is None else load_weights(model)
    return evaluate_dicom_masks(ct, masks, progress=lambda share: progress("segment", 0.99 * share), weights=weights)


def _evaluate_images(
    config: Path, data: Path | None, part: str, model: Path | None, pictures: Path | None, progress: ProgressLine
) -> ImageEvaluation:
    from reconstruction.network.weights import load_weights
    from reconstruction.training.images.evaluate import ImageEvaluator

    evaluator = ImageEvaluator(config, data, None if model is None else load_weights(model))
    result = evaluator.evaluate(part, lambda share: progress("frames", 0.95 * share))
    if pictures is not None:
        from navigation.pictures.contours import ContourPanel, contour_picture

        pictures.mkdir(parents=True, exist_ok=True)
        panels = []
        for kind, frame in result.examples().items():
            answer = evaluator.answer(frame.files)
            dice = ", ".join(f"{name} {value:.2f}" for name, value in frame.dice.items())
            panels.append(ContourPanel(f"{kind}: {dice}", answer.grey, answer.truth, answer.found))
        names = dict(enumerate(evaluator.config.class_names[1:], start=1))
        contour_picture(panels, names, pictures / f"{result.network}_{part}.png")
    return result
