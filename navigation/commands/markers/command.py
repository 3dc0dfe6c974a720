"""The command ``surgnav markers`` and its options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from navigation.commands import options
from navigation.commands.request import takes
from navigation.terminal.reporting import now, reporting

if TYPE_CHECKING:
    from reconstruction.ct.choice import CtChoice


@dataclass(frozen=True, kw_only=True)
class MarkersRequest:
    """What was asked for. Without a case the markers are only shown."""

    ct: Annotated[Path | None, typer.Argument(help="CT with balls on the skin; the case's own by default.")] = None
    case: Annotated[
        Path | None, typer.Option("--case", help="Case whose planned landmarks they become; else they are only shown.")
    ] = None
    diameter: Annotated[float | None, typer.Option(help="Diameter of the balls, in mm, where it is known.")] = None
    expect: Annotated[
        int | None, typer.Option(min=1, help="How many there are; with more or fewer nothing is kept.")
    ] = None
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace landmarks made or changed by others; they are kept beside.")
    ] = False
    series: options.Series = None
    acquisition: options.Acquisition = None
    correct_hu: options.CorrectHu = False
    json_file: options.JsonFile = None

    @property
    def choice(self) -> CtChoice:
        """Which CT at the path is meant, and whether its values may be corrected to HU."""
        from reconstruction.ct.choice import CtChoice

        return CtChoice(series=self.series, acquisition=self.acquisition, correct_hu=self.correct_hu)


@takes(MarkersRequest)
def markers_command(request: MarkersRequest) -> None:
    """Finds radio-opaque balls on the skin. Exit code 0; 3 if none, or not as many as expected; 1 on errors."""
    with reporting(case=request.case, json_file=request.json_file) as (console, progress):
        from navigation.commands.markers.run import run_markers

        progress("looking for markers", 0.0)
        complete = run_markers(request, now(), console)
    if not complete:
        raise typer.Exit(3)
