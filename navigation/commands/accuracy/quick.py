"""``surgnav accuracy --quick``: all points once, within a minute."""

from __future__ import annotations

from calibration.accuracy.quick import quick_accuracy
from calibration.accuracy.record import AccuracyRecord, keep_record, past_records
from navigation.acquisition.visiting import BlockCollecting
from navigation.commands.accuracy.measuring import Measuring, Step

QUICK_S = 55.0
CHART = "days.png"


def quick_check(measuring: Measuring, made: str) -> AccuracyRecord:
    """Measures, keeps the record in the rack, and draws the chart.

    Args:
        made: now, ISO 8601 with a time zone.

    Raises:
        SurgNavError: no poses, or other points than the block's.
    """
    block, request = measuring.block, measuring.request
    steps: list[Step] = [("all points", lambda source: BlockCollecting(source, block, measuring.tip_mm))]
    (stream,) = measuring.streams(steps, request.seconds or QUICK_S)
    record = quick_accuracy(measuring.result, stream, block, made)
    measuring.say(record.line(), "green" if record.is_inside else "red bold")
    measuring.say(f"kept as {keep_record(measuring.rack, record)}")
    days = past_records(measuring.rack, record.subject, record.block)
    lines = {
        "largest distance error": [day.distance_max_mm for day in days],
        "distance error, RMS": [day.distance_rms_mm for day in days],
        "single point, 95 %": [day.single_point_p95_mm for day in days],
    }
    measuring.draw_days(days, lines, request.chart or measuring.records / CHART)
    return record
