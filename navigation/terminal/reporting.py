"""What every command prints around its work: progress, leftovers of killed runs, and errors."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from geometry.errors import SurgNavError
    from navigation.terminal.progress import ProgressLine


@contextmanager
def reporting(
    *, live: bool = True, case: Path | None = None, json_file: Path | None = None
) -> Iterator[tuple[Console, ProgressLine]]:
    """Gives a command its console and progress line, and prints its errors: what came, what is allowed, what to do.

    Args:
        live: whether the progress bar is shown from the start; False for a command that reads keys.
        case: the case folder of the command; leftovers of killed runs are removed there, and listed.
        json_file: the file that the numbers will be written to; whether it can be written is checked first.

    Raises:
        typer.Exit: with exit code 1, after a `SurgNavError` or `OSError` was printed, or if standard output was closed.
    """
    from geometry.errors import SurgNavError
    from navigation.terminal.console import Terminal
    from navigation.terminal.json_files import check_json_file
    from navigation.terminal.progress import ProgressLine
    from navigation.terminal.system_failures import in_words

    console, failures = Terminal(), Terminal(stderr=True)
    progress = ProgressLine(console)
    try:
        check_json_file(json_file)
        if case is not None:
            _clear_leftovers(case, console)
        with progress.shown() if live else nullcontext():
            yield console, progress
    except SurgNavError as error:
        _print_error(error, failures)
        raise typer.Exit(1) from error
    except BrokenPipeError:
        _silence_stdout()
        raise typer.Exit(1) from None
    except OSError as error:
        _print_error(in_words(error, [path for path in (case, json_file) if path is not None]), failures)
        raise typer.Exit(1) from error


def _print_error(error: SurgNavError, failures: Console) -> None:
    from rich.markup import escape

    failures.print(f"[red bold]{type(error).__name__}[/]: got {escape(error.came)}", highlight=False)
    failures.print(f"  expected: {escape(error.allowed)}\n  fix: {escape(error.action)}", highlight=False)


def _silence_stdout() -> None:
    """After the reader of a pipe has ended (``| head``), keeps Python from reporting the closed pipe again at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


def _clear_leftovers(case: Path, console: Console) -> None:
    from rich.markup import escape

    from case.leftovers import clear_leftovers

    found = clear_leftovers(case, time.time())
    for name in found.cleared:
        console.print(f"[yellow]cleared {escape(name)}, which a killed run left half made[/]", highlight=False)
    for problem in found.kept:
        console.print(f"[yellow]left by a killed run, and still there: {escape(problem)}[/]", highlight=False)


def now() -> str:
    """The time of a decision or a file, with its time zone, to the second (ISO 8601)."""
    return datetime.now().astimezone().isoformat(timespec="seconds")
