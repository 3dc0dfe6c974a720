"""The commands ``surgnav train`` and ``surgnav evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from navigation.terminal.reporting import reporting


def train_command(
    config: Annotated[Path, typer.Argument(help="TOML that describes data and training.")],
    out: Annotated[Path, typer.Option(help="Folder for checkpoints and the exported network.")] = Path("out/train"),
    data: Annotated[
        Path | None, typer.Option(help="Folder that the TOML's paths lie under; by default its own.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")] = False,
) -> None:
    """Trains a U-Net on labelled CT, or on images with masks; the TOML says which."""
    from reconstruction.training.train import run_training

    with reporting() as (console, progress):

        def show(iteration: int, iterations: int, loss: float) -> None:
            progress(f"iteration {iteration} of {iterations}, loss {loss:.4f}", iteration / iterations)

        trained = run_training(config, out, resume=resume, progress=show, data=data)
        console.print(trained)


def evaluate_command(
    ct: Annotated[Path, typer.Argument(help="DICOM folder of the CT.")],
    masks: Annotated[
        Path, typer.Argument(help="Folder of DICOM mask series, one folder a mask, named as 3D-IRCADb's.")
    ],
) -> None:
    """Dice and surface distance of the shipped network against masks by experts."""
    from reconstruction.training.evaluate import evaluate_dicom_masks

    with reporting() as (console, progress):
        result = evaluate_dicom_masks(ct, masks, progress=lambda share: progress("segment", 0.99 * share))
        console.print(result.table(), highlight=False)
