"""How every calibration ends: its result is shown, kept in the rack, written as JSON; the exit code is its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from calibration.result import CalibrationResult

EXIT_REFUSED = 2
_OUTLIERS_SHOWN = 5


def conclude(result: CalibrationResult, rack: Path | None, json_file: Path | None, console: Console) -> None:
    """Shows a result and keeps it, refused ones too.

    Raises:
        typer.Exit: with code 2 if it is refused.
        OSError: it cannot be written.
    """
    from calibration.rack import keep
    from navigation.terminal.json_files import write_json_file

    show_result(result, console)
    if rack is None:
        console.print("not kept: name the folder for results with --rack, or in the room file", highlight=False)
    else:
        path = keep(rack, result)
        console.print(f"kept as {path}", highlight=False, markup=False)
    if json_file is not None:
        write_json_file(json_file, result.model_dump(mode="json"))
    if not result.is_accepted:
        raise typer.Exit(EXIT_REFUSED)


def show_result(result: CalibrationResult, console: Console) -> None:
    """Prints a result: the verdict, what came out with its error, coverage, residuals and outliers."""
    from rich.markup import escape

    def say(text: str) -> None:
        console.print(f"  {escape(text)}", highlight=False)

    sign = "[green]✓ accepted[/]" if result.is_accepted else "[red bold]✗ refused[/]"
    console.print(f"{sign}: {result.kind} of {escape(result.subject)}, {escape(result.method)}", highlight=False)
    for reason in result.reasons:
        say(reason)
    for each in result.transforms:
        x, y, z = each.translation_mm
        say(f"T_{each.to_frame}_{each.from_frame}: translation ({x:.3f}, {y:.3f}, {z:.3f}) mm")
    if result.expected_error is not None:
        error = result.expected_error
        say(f"expected error at {error.at}: {error.value:.3g} {error.unit} RMS")
    if result.residual_rms is not None:
        p95 = "" if result.residual_p95 is None else f", 95 % below {result.residual_p95:.3g} {result.residual_unit}"
        say(f"residual {result.residual_rms:.3g} {result.residual_unit} RMS{p95}; {result.n_used} samples used")
    for sentence in result.coverage:
        say(sentence)
    if result.outliers:
        shown = sorted(result.outliers, key=lambda outlier: -outlier.residual)[:_OUTLIERS_SHOWN]
        worst = ", ".join(
            f"{each.index}{'' if each.time_s is None else f' at {each.time_s:.2f} s'} ({each.residual:.2f})"
            for each in shown
        )
        say(f"{result.n_rejected} samples rejected, the farthest: {worst} {result.residual_unit}")
