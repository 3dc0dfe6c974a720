"""Options that the commands of ``surgnav calibrate`` share, as Typer shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

RoomFile = Annotated[Path | None, typer.Option(help="Live: room file of the devices and tools that you have.")]
Rack = Annotated[
    Path | None, typer.Option(help="Folder that results are kept in; by default the one that the room file names.")
]
Seconds = Annotated[
    float | None, typer.Option(min=0.1, help="Live: end after so long; without it Enter or q ends the collecting.")
]
IdInFile = Annotated[
    str | None, typer.Option("--id", help="Recorded: what the file calls the tool, such as StylusToTracker.")
]
Topic = Annotated[str | None, typer.Option(help="Recorded: which device of an MCAP file, where it has several.")]
Unit = Annotated[Literal["mm", "m"], typer.Option(help="Recorded: of text files with matrices, which do not say it.")]
RateHz = Annotated[
    float | None, typer.Option(min=0.01, help="Recorded: of text files whose names are no times in nanoseconds.")
]
