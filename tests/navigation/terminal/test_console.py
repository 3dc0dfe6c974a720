"""Whatever text reaches the terminal, it is obeyed by nobody."""

from __future__ import annotations

import io
from pathlib import Path

from rich.markup import escape
from rich.panel import Panel
from rich.table import Table
from typer.testing import CliRunner

from case.case import Case, MadeBy
from navigation.cli import app
from navigation.terminal.console import Terminal

NASTY = "a\x1b[2J\x1b]0;title\x07b\x9b31m\u202ec"
LEFT = "a[2J]0;titleb31mc"


def test_no_text_moves_the_cursor_wherever_it_stands() -> None:
    file = io.StringIO()
    terminal = Terminal(file=file, width=60, force_terminal=True, color_system=None)
    table = Table(NASTY, "second")
    table.add_row(escape(NASTY), "beside")
    table.add_row("plain", "beside")
    for what in (escape(NASTY), table, Panel(escape(NASTY), title=escape(NASTY))):
        terminal.print(what)
    said = file.getvalue()
    assert not set(said) & set("\x1b\x07\x9b\u202e")
    assert said.count(LEFT) == 5
    rows = [line for line in said.splitlines() if "beside" in line]
    assert len({line.index("beside") for line in rows}) == 1  # and tables stay straight


def test_its_own_colours_stay() -> None:
    file = io.StringIO()
    Terminal(file=file, force_terminal=True, color_system="standard").print("[red]stop[/]")
    assert file.getvalue() == "\x1b[31mstop\x1b[0m\n"


def test_every_command_writes_to_it(tmp_path: Path) -> None:
    time = "2026-01-02T03:04:05+00:00"
    with Case.create(tmp_path / "case", f"knee {NASTY}", time) as case:
        case.write_json("plan", "plan", {}, MadeBy(program="test", version="1", time=time))
    shown = CliRunner().invoke(app, ["review", str(case.root)])
    assert shown.exit_code == 0
    assert not set(shown.output) & set("\x1b\x07\x9b\u202e")
    refused = CliRunner().invoke(app, ["review", str(tmp_path / f"no {NASTY}")])
    assert refused.exit_code == 1
    assert not set(refused.output) & set("\x1b\x07\x9b\u202e")
