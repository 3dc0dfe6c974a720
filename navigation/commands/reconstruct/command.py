"""The command ``surgnav reconstruct`` and its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from navigation.commands import options
from navigation.commands.request import takes
from navigation.terminal.json_files import write_json_file
from navigation.terminal.reporting import now, reporting
from navigation.terminal.stopping import stoppable

if TYPE_CHECKING:
    from reconstruction.pipeline import ReconstructionSettings


@dataclass(frozen=True, kw_only=True)
class ReconstructRequest:
    """What was asked for: by the network, with `model` by somebody's, or with `labels` from somebody's segmentation."""

    ct: options.CtPath
    case: Annotated[Path, typer.Option("--case", help="Folder for the new case; must not exist yet.")]
    name: Annotated[str, typer.Option(help="Name of the case; not the patient's.")] = "case"
    engine: Annotated[str | None, typer.Option(help="Inference engine; the fastest that loads here by default.")] = None
    model: Annotated[
        str | None, typer.Option(help="Another network than the default one, by its name in 'surgnav models list'.")
    ] = None
    also: Annotated[
        list[str] | None,
        typer.Option(help="A structure that our network finds but does not offer, for poor figures; or 'all'."),
    ] = None
    copy_ct: Annotated[bool, typer.Option("--copy-ct", help="Keep the CT itself in the case.")] = False
    series: options.Series = None
    anonymize: Annotated[
        bool, typer.Option("--anonymize", help="Nothing in the case tells who the patient is; keeps the CT as NIfTI.")
    ] = False
    labels: Annotated[
        Path | None,
        typer.Option(help="Somebody's segmentation instead of the network: NIfTI, NRRD, DICOM SEG, or a folder."),
    ] = None
    label_names: Annotated[Path | None, typer.Option(help="CSV with value and name of --labels.")] = None
    labels_on_ct_grid: Annotated[
        bool,
        typer.Option(
            "--labels-on-ct-grid",
            help="Where --labels has no place of its own (identity axes from 0, 0, 0): take its voxels for the CT's.",
        ),
    ] = False
    triangles: Annotated[
        int, typer.Option(min=4, help="At most so many triangles a structure; what simplifying moved is measured.")
    ] = 100_000
    uncertainty: Annotated[
        Literal["none", "quick", "full"],
        typer.Option(help="How often the network runs again to say how sure it is: not at all, once, eight times."),
    ] = "quick"
    acquisition: options.Acquisition = None
    correct_hu: options.CorrectHu = False
    json_file: options.JsonFile = None

    def settings(self) -> ReconstructionSettings:
        """How the CT is read, segmented and meshed."""
        from reconstruction.ct.choice import CtChoice
        from reconstruction.network.segmentation import SegmentationSettings
        from reconstruction.pipeline import ReconstructionSettings

        return ReconstructionSettings(
            segmentation=SegmentationSettings(engine=self.engine),
            max_triangles=self.triangles,
            copy_ct=self.copy_ct,
            choice=CtChoice(series=self.series, acquisition=self.acquisition, correct_hu=self.correct_hu),
            anonymize=self.anonymize,
            uncertainty=self.uncertainty,
        )


@takes(ReconstructRequest)
def reconstruct_command(request: ReconstructRequest) -> None:
    """CT in, surfaces out: quality check, 3D U-Net or your labels, surfaces, case folder. All are suggestions."""
    if (request.label_names is not None or request.labels_on_ct_grid) and request.labels is None:
        option = "--label-names" if request.label_names is not None else "--labels-on-ct-grid"
        raise typer.BadParameter(f"{option} belongs to --labels, which is missing")
    if request.model is not None and (request.labels is not None or request.engine is not None):
        other = "--labels" if request.labels is not None else "--engine"
        raise typer.BadParameter(f"--model and {other} exclude each other")

    def left() -> str:
        made = (request.case / "case.json").exists()
        return f"the case at {request.case} is whole" if made else f"nothing was written at {request.case}"

    with (
        reporting(case=request.case, json_file=request.json_file) as (console, line),
        stoppable(line, left, console) as progress,
    ):
        from navigation.commands.reconstruct.run import reconstruct_and_render

        document = reconstruct_and_render(request, now(), progress, console)
        if request.json_file is not None:
            write_json_file(request.json_file, document)
