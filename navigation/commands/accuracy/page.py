"""The report of the tests of ASTM F2554 as one HTML file: figures, pictures and the days before, nothing loaded."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from calibration.accuracy.f2554_record import F2554Record

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;color:#1f2933;max-width:75rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}"
    "th,td{padding:.3rem .8rem;text-align:right;border-bottom:1px solid #d9dee4}"
    "th:first-child,td:first-child{text-align:left}img{max-width:100%}.outside{color:#b42318}.inside{color:#00664a}"
)
_METHOD = (
    "The tests are those of ASTM F2554-22: a single point touched again and again, the tool turned about each axis "
    "with its tip in that point, and distances between known points. Bias is the mean error: of the single point "
    "against its place by a rigid fit of the other points, of a turned tip against the single point, and of a distance "
    "against the known one. Precision is the standard deviation, of points in 3-D. "
    "Research software, not a medical device."
)


def accuracy_page(record: F2554Record, days: Sequence[F2554Record], pictures: Mapping[str, Path]) -> str:
    """The page as text.

    Args:
        days: records of the same tool and block, the oldest first.
        pictures: title -> PNG, which becomes part of the page.
    """
    title = f"Accuracy of {record.subject} on {record.block}"
    side = "inside" if record.is_inside else "outside"
    drawn = "".join(
        f'<h2>{escape(name)}</h2><img alt="{escape(name)}" '
        f'src="data:image/png;base64,{b64encode(path.read_bytes()).decode()}">'
        for name, path in pictures.items()
    )
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title><style>{_STYLE}</style>'
        f"<h1>{escape(title)}</h1>"
        f'<p class="{side}"><strong>{side} the limit of {record.limit_mm:g} mm</strong></p>'
        f"{_facts(record)}{_tests(record)}{drawn}<h2>every check</h2>{_history(days)}<p>{escape(_METHOD)}</p></html>\n"
    )


def _facts(record: F2554Record) -> str:
    fit = "not known" if record.block_fit_rms_mm is None else f"{record.block_fit_rms_mm:.2f} mm RMS"
    return _table(
        ("", ""),
        [
            ("measured", record.made),
            ("calibrated", record.calibrated),
            ("poses relative to", record.relative_to),
            ("duration", f"{record.duration_s:.0f} s"),
            ("fit of the block", fit),
            ("distance error expected of the calibration", f"{record.expected_distance_rms_mm:.2f} mm RMS"),
        ],
    )


def _tests(record: F2554Record) -> str:
    off, single = record.distances, record.single
    bias = "not known" if single.bias_mm is None else f"{single.bias_mm:.2f}"
    rows = [("single point", f"{single.n} touches", bias, *_mm(single.precision_mm, single.p95_mm, single.max_mm))]
    rows += [
        (
            f"{axis.axis}, {axis.low_deg:+.0f} to {axis.high_deg:+.0f} degrees",
            f"{axis.n} poses",
            *_mm(axis.bias_mm, axis.precision_mm, axis.p95_mm, axis.max_mm),
        )
        for axis in record.rotation
    ]
    rows.append(
        ("distances", f"{off.n}", f"{off.bias_mm:+.2f}", *_mm(off.precision_mm, off.p95_mm, off.max_mm)),
    )
    return _table(("test", "n", "bias mm", "precision mm", "95 % within mm", "at most mm"), rows)


def _history(days: Sequence[F2554Record]) -> str:
    rows = [
        (
            day.made,
            *_mm(day.single.p95_mm, day.worst_rotation_p95_mm, day.distances.rms_mm, day.distances.max_mm),
            "inside" if day.is_inside else "outside",
        )
        for day in days
    ]
    columns = ("made", "single point 95 % mm", "turned 95 % mm", "distances RMS mm", "distances at most mm", "limit")
    return _table(columns, rows)


def _mm(*values: float) -> tuple[str, ...]:
    return tuple(f"{value:.2f}" for value in values)


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table>{f'<tr>{head}</tr>' if any(columns) else ''}{body}</table>"
