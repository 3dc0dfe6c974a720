"""The summary of an operation as one HTML file: a bar for each tool, what happened, and the losses; nothing loaded."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from navigation.clock import NS_PER_S
from navigation.recorder.export.summary import Summary, ToolTimes
from unity_bridge.wire.envelope import Validity

# Okabe and Ito's palette, which people with any colour blindness can tell apart; the table beside it has the numbers.
_COLOURS = {
    Validity.VALID: "#009e73",
    Validity.SUSPECT: "#e69f00",
    Validity.STALE: "#56b4e9",
    Validity.LOST: "#4d4d4d",
}
_MOST_LOSSES, _MOST_EVENTS = 12, 500
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;color:#1f2933;max-width:75rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{padding:.2rem .8rem;text-align:left;vertical-align:top;"
    "border-bottom:1px solid #d9dee4}.number{text-align:right}.bar{display:flex;width:20rem;height:1rem}"
    ".key{display:inline-block;width:1rem;height:1rem;margin:0 .3rem 0 1rem}.bad{color:#b42318}"
)


def summary_page(name: str, summary: Summary) -> str:
    """The page as text; `name` is the recording's."""
    started = "without poses" if summary.started is None else f"{summary.started:%Y-%m-%d %H:%M:%S %z}"
    keys = "".join(f'<span class="key" style="background:{colour}"></span>{each}' for each, colour in _COLOURS.items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(name)}</title><style>{_STYLE}</style>'
        f"<h1>Operation of {started}</h1><p>{escape(name)}. Research software, not a medical device.</p>"
        f"{_facts(summary)}<h2>tools</h2><p>{keys}</p>{_tools(summary)}<h2>registration</h2>{_registrations(summary)}"
        f"<h2>longest losses</h2>{_losses(summary)}<h2>what happened</h2>{_events(summary)}</html>\n"
    )


def _facts(summary: Summary) -> str:
    silent = f"{len(summary.silences)}, the longest {max(summary.silences):.1f} s" if summary.silences else "none"
    rows = [
        ("duration", f"{summary.duration_s:.0f} s"),
        ("pose batches", f"{summary.batches}, {summary.batches_missing} missing"),
        ("silences of the poses", silent),
        *((f"frames of {topic.rpartition('/')[2]}", str(count)) for topic, count in summary.frames.items()),
        ("messages that were not recorded", str(summary.not_recorded)),
        ("file", "; ".join(["ended in order" if summary.is_closed else "never closed", *summary.faults])),
    ]
    return _table(("", ""), rows)


def _tools(summary: Summary) -> str:
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{_bar(times)}</td>"
        f'<td class="number">{times.valid_share:.1%}</td><td class="number">{len(times.losses)}</td>'
        f'<td class="number">{max((loss.seconds for loss in times.losses), default=0.0):.1f}</td></tr>'
        for name, times in summary.tools.items()
    )
    heads = "<th>tool</th><th></th><th>valid</th><th>times not valid</th><th>longest, s</th>"
    return f"<table><tr>{heads}</tr>{rows}</table>"


def _bar(times: ToolTimes) -> str:
    whole = sum(times.seconds.values()) or 1.0
    parts = (
        f'<span style="background:{colour};width:{100.0 * times.seconds[each] / whole:.2f}%"></span>'
        for each, colour in _COLOURS.items()
    )
    return f'<div class="bar">{"".join(parts)}</div>'


def _registrations(summary: Summary) -> str:
    rows = [
        (_at(summary, time_ns), said, "" if error is None else f"{error:.2f} mm")
        for time_ns, said, error in summary.registrations
    ]
    return _table(("at", "in force", "expected 95 % error"), rows)


def _losses(summary: Summary) -> str:
    every = [(loss, tool) for tool, times in summary.tools.items() for loss in times.losses]
    every.sort(key=lambda each: -each[0].seconds)
    rows = [
        (_at(summary, loss.since_ns), tool, f"{loss.seconds:.1f} s", str(loss.validity), loss.reason)
        for loss, tool in every[:_MOST_LOSSES]
    ]
    left = len(every) - len(rows)
    return _table(("at", "tool", "for", "worst", "why"), rows) + (f"<p>and {left} shorter ones</p>" if left else "")


def _events(summary: Summary) -> str:
    rows = [(_at(summary, time_ns), who, what) for time_ns, who, what in summary.events[:_MOST_EVENTS]]
    left = len(summary.events) - len(rows)
    return _table(("at", "who", "what"), rows) + (f"<p>and {left} later ones</p>" if left else "")


def _at(summary: Summary, time_ns: int) -> str:
    seconds = (time_ns - summary.first_ns) / NS_PER_S
    return f"{'-' if seconds < 0 else ''}{int(abs(seconds) // 60)}:{abs(seconds) % 60:04.1f}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    titles = "".join(f"<th>{escape(head)}</th>" for head in heads) if any(heads) else ""
    lines = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{titles}</tr>{lines}</table>"
