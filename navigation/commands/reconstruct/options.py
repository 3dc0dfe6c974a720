"""The options of ``surgnav reconstruct``, as typer shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CtPath = Annotated[Path, typer.Argument(help="DICOM folder, or a file: NIfTI, NRRD, MetaImage, enhanced CT.")]
NewCase = Annotated[Path, typer.Option("--case", help="Folder for the new case; must not exist yet.")]
CaseName = Annotated[str, typer.Option(help="Name of the case; not the patient's.")]
Engine = Annotated[str | None, typer.Option(help="Inference engine; the fastest that loads here by default.")]
CopyCt = Annotated[bool, typer.Option("--copy-ct", help="Keep the CT itself in the case.")]
Series = Annotated[str | None, typer.Option(help="Number, or UID, of the DICOM series, where there are several.")]
Acquisition = Annotated[
    str | None, typer.Option(help="Which one, where a series holds several at one place; the error lists them.")
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")]
CorrectHu = Annotated[
    bool, typer.Option("--correct-hu", help="Take away an offset from HU that the values turn out to have.")
]
Anonymize = Annotated[
    bool, typer.Option("--anonymize", help="Nothing in the case tells who the patient is; keeps the CT as NIfTI.")
]
Labels = Annotated[
    Path | None,
    typer.Option(help="Somebody's segmentation instead of the network: NIfTI, NRRD, DICOM SEG, or a folder."),
]
LabelNames = Annotated[Path | None, typer.Option(help="CSV with value and name of --labels.")]
LabelsOnCtGrid = Annotated[
    bool,
    typer.Option(
        "--labels-on-ct-grid",
        help="Where --labels has no place of its own (identity axes from 0, 0, 0): take its voxels for the CT's.",
    ),
]
Triangles = Annotated[
    int, typer.Option(min=4, help="At most so many triangles a structure; what simplifying moved is measured.")
]
