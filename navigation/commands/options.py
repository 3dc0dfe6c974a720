"""Options that several commands share, as Typer shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

CtPath = Annotated[Path, typer.Argument(help="DICOM folder, or a file: NIfTI, NRRD, MetaImage, enhanced CT.")]
Series = Annotated[str | None, typer.Option(help="Number, or UID, of the DICOM series, where there are several.")]
Acquisition = Annotated[
    str | None, typer.Option(help="Which one, where a series holds several at one place; the error lists them.")
]
JsonFile = Annotated[Path | None, typer.Option("--json", help="Write the numbers here.")]
CorrectHu = Annotated[
    bool, typer.Option("--correct-hu", help="Take away an offset from HU that the values turn out to have.")
]
