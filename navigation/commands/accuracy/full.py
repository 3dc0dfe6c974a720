"""``surgnav accuracy``: the three tests of ASTM F2554, with a page of figures, pictures and history."""

from __future__ import annotations

from pathlib import Path

from calibration.accuracy.f2554 import F2554Measurement, F2554Streams, measure_f2554
from calibration.accuracy.f2554_record import F2554_FOLDER, F2554Record, keep_f2554, past_f2554
from case.atomic import atomic_path, atomic_write
from geometry.extras import MissingExtraError
from navigation.acquisition.visiting import BlockCollecting, PointTouches, PointTurns
from navigation.commands.accuracy.measuring import Measuring, Step
from navigation.commands.accuracy.page import accuracy_page
from navigation.pictures.f2554 import f2554_picture

DAYS, PICTURE, PAGE = "days.png", "newest.png", "newest.html"


def full_accuracy(measuring: Measuring, made: str) -> F2554Record:
    """Measures, keeps the record in the rack, and writes the page.

    Args:
        made: now, ISO 8601 with a time zone.

    Raises:
        SurgNavError: no poses, other points than the block's, or not the procedure.
    """
    block, tip_mm = measuring.block, measuring.tip_mm
    first = next(iter(block.points_mm))
    steps: list[Step] = [
        ("distances", lambda source: BlockCollecting(source, block, tip_mm)),
        ("single point", lambda source: PointTouches(source, first, tip_mm)),
        ("rotation", lambda source: PointTurns(source, first, tip_mm)),
    ]
    streams = F2554Streams(*measuring.streams(steps, measuring.request.seconds))
    found = measure_f2554(measuring.result, streams, block, made)
    record = found.record
    for number, line in enumerate(record.lines()):
        measuring.say(line, "" if number else "green" if record.is_inside else "red bold")
    measuring.say(f"kept as {keep_f2554(measuring.rack, record)}")
    _write_page(measuring, found)
    return record


def _write_page(measuring: Measuring, found: F2554Measurement) -> None:
    folder, request = measuring.records / F2554_FOLDER, measuring.request
    days = past_f2554(measuring.rack, found.record.subject, found.record.block)
    lines = {
        "largest distance error": [day.distances.max_mm for day in days],
        "turned in the single point, 95 %": [day.worst_rotation_p95_mm for day in days],
        "single point, 95 %": [day.single.p95_mm for day in days],
    }
    chart = request.chart or folder / DAYS
    pictures = {"the days": chart} if measuring.draw_days(days, lines, chart) else {}
    if (drawn := _draw(found, folder / PICTURE)) is not None:
        pictures = {"the three tests": drawn} | pictures
    page = request.page or folder / PAGE
    atomic_write(page, accuracy_page(found.record, days, pictures).encode())
    measuring.say(f"report: {page}")


def _draw(found: F2554Measurement, path: Path) -> Path | None:
    """The picture of the three tests; None without matplotlib, of which the chart of the days has told already."""
    try:
        with atomic_path(path) as whole:
            f2554_picture(found, whole)
    except MissingExtraError:
        return None
    return path
