"""What ``surgnav register`` shows: where the session stands, what a registration found, and the history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.panel import Panel
from rich.table import Column, Table

from navigation.commands.register.session import Session
from navigation.terminal.foreign_text import shown
from registration.record.attempt import Attempt
from registration.record.attempts import expected_now
from registration.record.verify import weight_of
from registration.register import swept_area_cm2
from registration.verdict.findings import along_text
from registration.verdict.verdict import Verdict
from registration.verdict.verification import Verification

if TYPE_CHECKING:
    from registration.record.history import HistoryRow

COLOURS = {"accept": "green", "check": "yellow", "refuse": "red"}
MOST_CHARACTERS = 2000
NAME_WIDTH = 12
FRE_IS_NOT = "how well the landmarks fit one another; it says nothing about the error at a target"


def plain(text: str) -> str:
    """Text of others, or computed, as it is: on one line, without control sequences, and its brackets are no markup."""
    return escape(shown(text, MOST_CHARACTERS))


def name_column(head: str) -> Column:
    """For names: a long one goes on in the next line, since what tells it from the others may stand at its end."""
    return Column(head, overflow="fold", min_width=NAME_WIDTH)


def show_session(session: Session, console: Console) -> None:
    """The planned landmarks, and what has become of each."""
    table = Table("", name_column("landmark"), "state", title="Landmarks", title_justify="left")
    for number, name in enumerate(session.landmarks_ct, start=1):
        touch = session.now.touched.get(name)
        if touch is not None:
            state = "[green]touched[/]" + (f", spread {touch.spread_rms_mm:.2f} mm" if touch.spread_rms_mm else "")
        elif name in session.now.skipped:
            state = "skipped: free to verify with"
        else:
            state = "[bold]touch it now[/]" if name == session.asked else "-"
        table.add_row(str(number), plain(name), state)
    console.print(table)
    console.print(swept_text(session), highlight=False)


def swept_text(session: Session) -> str:
    """How much has been swept in this session."""
    points = session.swept_reference_mm
    return f"swept so far: {len(points):,} points over {swept_area_cm2(points):.0f} cm²"


def show_attempt(
    attempt: Attempt, verdict: Verdict, touches: Sequence[Verification], advice: Sequence[str], console: Console
) -> None:
    """One attempt, whole: from the residuals of each landmark to the verdict and what to do next."""
    parts: list[RenderableType] = []
    if attempt.result is None:
        parts.append("[red]No registration.[/]")
    else:
        if attempt.findings.beginning:
            parts.append(f"How it began: {plain(attempt.findings.beginning)}")
        parts += [_landmarks(attempt), *_fit_lines(attempt), _targets(attempt), *_assumes(attempt)]
    parts += [touch_text(touch, attempt.findings.rests_on_skin) for touch in touches]
    parts += _after_touches(attempt, touches)
    parts += [verdict_text(verdict), *(f"[bold]Next[/] {plain(line)}" for line in advice)]
    console.print(
        Panel(Group(*parts), title=f"Registration {attempt.id}", subtitle=plain(attempt.inputs.measured_with))
    )


def verdict_text(verdict: Verdict) -> str:
    """The level in its colour, every reason and every note on a line of its own."""
    lines = [f"[bold]Verdict[/] [{COLOURS[verdict.level]} bold]{verdict.level}[/]"]
    lines += [f"  - {plain(reason)}" for reason in verdict.reasons]
    lines += [f"  [dim]- {plain(note)}[/]" for note in verdict.notes]
    return "\n".join(lines)


def show_history(rows: Sequence[HistoryRow], console: Console) -> None:
    """Every attempt ever made, what became of it, and which one is in force."""
    table = Table("attempt", "made", "by", "verdict", "worst 95 %", "since then", title="History", title_justify="left")
    for row in rows:
        colour = COLOURS.get(row.level, "red")
        table.add_row(
            f"[bold]{row.attempt}[/] [green]in force[/]" if row.in_force else row.attempt,
            row.time[:16].replace("T", " "),
            plain(row.person),
            f"[{colour}]{row.level}[/]" + (f" [red]({plain(row.problem)})[/]" if row.problem else ""),
            "-" if row.worst_p95_mm is None else f"{row.worst_p95_mm:.2f} mm",
            plain(", ".join(row.steps)) or "-",
        )
    console.print(table if rows else "No registration was attempted in this case yet.")


def show_keys(keys: Mapping[str, str], console: Console) -> None:
    """Every key and what it does."""
    table = Table("key", "what it does", show_header=False, box=None)
    for key, meaning in keys.items():
        table.add_row(f"[bold]{key}[/]", meaning)
    console.print(table)


def _landmarks(attempt: Attempt) -> Table:
    title = "Landmarks, by themselves"
    columns = (name_column("landmark"), "residual", "off what the others say", "95 % below")
    table = Table(*columns, title=title, title_justify="left")
    residuals = attempt.result.landmark_residuals_reference_mm if attempt.result else {}
    left_out = attempt.result.left_out if attempt.result else {}
    for mark in attempt.inputs.landmarks:
        residual, alone = residuals.get(mark.name), left_out.get(mark.name)
        if residual is None:
            table.add_row(plain(mark.name), "-", "not used: free to verify with", "")
            continue
        off, p95 = "-", "-"
        if alone is not None:
            colour = "yellow" if alone.distance_mm > alone.expected_p95_mm else "default"
            off, p95 = f"[{colour}]{alone.distance_mm:.2f} mm[/]", f"{alone.expected_p95_mm:.2f} mm"
        table.add_row(plain(mark.name), f"{float(np.linalg.norm(residual)):.2f} mm", off, p95)
    return table


def _fit_lines(attempt: Attempt) -> list[str]:
    result, surface = attempt.result, attempt.findings.surface
    lines = []
    if result is not None and result.fre_rms_mm is not None:
        lines.append(f"FRE {result.fre_rms_mm:.2f} mm RMS: {FRE_IS_NOT}")
    if result is not None and surface is not None and attempt.inputs.sweep is not None:
        share = "-" if surface.inlier_fraction is None else f"{surface.inlier_fraction:.0%}"
        lines.append(
            f"Surface: {attempt.inputs.sweep.points:,} points, {share} of them on it, residual "
            f"{result.surface_residual_rms_mm:.2f} mm RMS about an offset of {result.surface_offset_mm:+.2f} mm"
        )
        lines.append(f"Weakest direction: {plain(surface.weakest_description)}")
    return lines


def _targets(attempt: Attempt) -> RenderableType:
    expected = attempt.result.expected if attempt.result else {}
    if not expected:
        return "[yellow]No targets are planned: the expected error where it matters is not known.[/]"
    title = "Expected error at the targets (TRE)"
    columns = (name_column("target"), "expected RMS", "95 % below", "mostly along", "95 % below, tip included")
    table = Table(*columns, title=title, title_justify="left")
    for name, target in expected.items():
        along = "-" if target.longest_ct is None else along_text(np.array(target.longest_ct))
        tip = "-" if target.with_tool_p95_mm is None else f"{target.with_tool_p95_mm:.2f} mm"
        table.add_row(plain(name), f"{target.rms_mm:.2f} mm", f"{target.p95_mm:.2f} mm", along, tip)
    return table


def _assumes(attempt: Attempt) -> list[str]:
    """What the expected errors take for granted."""
    assumes = attempt.findings.assumes
    return ["Assumed:", *(f"  [dim]- {plain(line)}[/]" for line in assumes)] if assumes else []


def _after_touches(attempt: Attempt, touches: Sequence[Verification]) -> list[str]:
    """The expected errors once more, with what the touches found."""
    if not touches:
        return []
    known = expected_now(attempt, touches)
    said = ", ".join(f"{plain(name)} {p95_mm:.2f} mm" for name, p95_mm in known.items() if p95_mm is not None)
    return [f"95 % below, with what the touches found: {said}"] if said else []


def touch_text(touch: Verification, rests_on_skin: bool = False) -> str:
    """What a verification touch found, and what it can tell."""
    colour, words = ("green", "consistent") if touch.consistent else ("red", "NOT consistent")
    what = "the surface" if touch.kind == "surface" else f"'{plain(touch.name)}'"
    again = " from its first touch" if touch.kind == "repeat" else " off"
    return (
        f"[bold]Verification[/] touched {what} {touch.distance_mm:.2f} mm{again}, "
        f"{touch.expected_p95_mm:.2f} mm expected in 95 %: [{colour}]{words}[/] "
        f"[dim]({weight_of(touch, rests_on_skin)})[/]"
    )
