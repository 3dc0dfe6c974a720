"""The tool rack: a folder of calibrations by subject and kind, each written once; the newest accepted is in force.

RACK/<subject>/<kind>/<made as 2026-11-27T021503Z>.json
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from calibration.errors import RackError
from calibration.result import CalibrationResult, Kind, read_result
from case.atomic import atomic_write, held

KINDS: tuple[Kind, ...] = get_args(Kind)


def keep(rack: Path, result: CalibrationResult) -> Path:
    """Writes a result into the rack, in full or not at all, and returns its path; nothing there is ever replaced.

    Raises:
        OSError: it cannot be written.
    """
    return write_once(rack / result.subject / result.kind, result.made_at, result.to_json().encode())


def write_once(folder: Path, made: datetime, content: bytes) -> Path:
    """Writes a file that is named by its time into a folder, in full or not at all; nothing there is replaced.

    Raises:
        OSError: it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    stem = made.astimezone(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    with held(folder):
        path, number = folder / f"{stem}.json", 1
        while path.exists():  # another of the same second
            number += 1
            path = folder / f"{stem}_{number}.json"
        atomic_write(path, content)
    return path


def results(rack: Path, subject: str | None = None, kind: Kind | None = None) -> list[tuple[Path, CalibrationResult]]:
    """Every result of the rack, or of a subject or kind in it, by subject and kind, each from the oldest on.

    Raises:
        RackError: no such folder, or a result that lies where another belongs.
        CalibrationResultError: a file that is no result: nothing is skipped, since it could be the newest.
    """
    if not rack.is_dir():
        raise RackError(
            f"the rack {rack}, which is {'no folder' if rack.exists() else 'not there'}",
            "the folder that calibrations are kept in",
            "correct the path, or make the folder",
        )
    found = []
    for path in sorted(rack.glob(f"{subject or '*'}/{kind or '*'}/*.json")):
        # Beside results lie records of accuracy; a dot begins what a run that was killed has left.
        if path.parent.name not in KINDS or path.name.startswith("."):
            continue
        result = read_result(path)
        belongs = (result.subject, result.kind)
        if belongs != path.parts[-3:-1]:
            raise RackError(
                f"the {result.kind} calibration of {result.subject} in {path.relative_to(rack)}",
                f"it in {result.subject}/{result.kind}",
                "move it back; a result names what it belongs to",
            )
        found.append((path, result))
    return sorted(found, key=lambda each: (each[1].subject, each[1].kind, each[1].made_at, each[0].name))


def in_force(rack: Path, subject: str, kind: Kind) -> CalibrationResult | None:
    """The newest accepted result of a subject and kind; None if there is none.

    Raises:
        RackError, CalibrationResultError: as `results`.
    """
    accepted = [result for _, result in results(rack, subject, kind) if result.is_accepted]
    return accepted[-1] if accepted else None


def all_in_force(rack: Path, subject: str) -> tuple[CalibrationResult, ...]:
    """The newest accepted result of each kind that a subject has, the newest last; raises as `results`."""
    newest = {result.kind: result for _, result in results(rack, subject) if result.is_accepted}
    return tuple(sorted(newest.values(), key=lambda result: result.made_at))


def age(made: datetime, now: datetime) -> str:
    """How long ago that was, in words; what is in the future is said to be, since a clock was wrong then."""
    seconds = (now - made).total_seconds()
    if seconds < -60.0:
        return f"{_span(-seconds)} in the future: a clock is or was wrong"
    return "just now" if seconds < 60.0 else f"{_span(seconds)} old"


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400.0), ("hours", 3600.0), ("minutes", 60.0)):
        if seconds >= 2.0 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(1.0, seconds / 60.0):.0f} minute{'' if seconds < 90.0 else 's'}"
