"""The commands ``surgnav room check, ...`` and their options; what each does is in a module of its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from navigation.terminal.reporting import reporting

room_app = typer.Typer(help="The room: which devices there are, and which tools they see.", no_args_is_help=True)
RoomPath = Annotated[Path, typer.Argument(help="Room file, such as or.toml.")]


@room_app.command("check")
def room_check_command(
    room: RoomPath,
    seconds: Annotated[float, typer.Option(min=0.0, max=600.0, help="How long devices and tools are waited for.")] = 10,
) -> None:
    """Reads a room file and opens its devices: what each says. Exit code 0; 3 if one is not there; 1 on mistakes."""
    from navigation.terminal.stopping import stop_requested

    with reporting(live=False) as (console, _), stop_requested() as should_stop:
        from datetime import datetime

        from navigation.clock import MonotonicClock
        from navigation.commands.room.check import check_room
        from navigation.room.read_room import read_room

        today = datetime.now().astimezone()
        all_there = check_room(read_room(room), seconds, MonotonicClock(), today, console, should_stop)
    if not all_there:
        raise typer.Exit(3)


@room_app.command("watch")
def room_watch_command(
    room: RoomPath,
    seconds: Annotated[float | None, typer.Option(min=0.0, help="End after so long; else q or Ctrl-C ends it.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Watch for two seconds and show the table once.")] = False,
) -> None:
    """Shows tools and devices live: state, rate, age, jitter, fit error, frames. Exit code 0; 3 if a device is gone."""
    from navigation.terminal.quit_key import quit_key
    from navigation.terminal.stopping import stop_requested

    with reporting(live=False) as (console, _), stop_requested() as should_stop, quit_key() as is_quit:
        from navigation.clock import MonotonicClock
        from navigation.commands.room.watch import ONCE_S, watch_room
        from navigation.room.read_room import read_room

        for_s = ONCE_S if once else seconds
        all_there = watch_room(read_room(room), for_s, MonotonicClock(), console, lambda: should_stop() or is_quit())
    if not all_there:
        raise typer.Exit(3)


@room_app.command("new")
def room_new_command(
    room: Annotated[Path, typer.Argument(help="Room file to write; one that exists is not replaced.")],
    device: Annotated[
        list[str] | None, typer.Option(help="NAME=DRIVER, may be repeated; without any, everything is asked.")
    ] = None,
    tool: Annotated[list[str] | None, typer.Option(help="NAME=DEVICE, may be repeated.")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="NAME.KEY=VALUE of a device or tool, may be repeated.")
    ] = None,
) -> None:
    """Writes a room file with comments, by asking. Exit code 0; 1 if there is one already, or on mistakes."""
    with reporting(live=False) as (console, _):
        from navigation.commands.room.new import new_room

        def ask(what: str, usual: str) -> str:
            return str(typer.prompt(what, default=usual, show_default=bool(usual)))

        new_room(room, device or (), tool or (), setting or (), ask, console)


@room_app.command("play")
def room_play_command(
    room: RoomPath,
    rate: Annotated[
        float | None, typer.Option(min=0.01, help="2 plays twice as fast; without it as fast as the machine can.")
    ] = None,
    pause_at_s: Annotated[
        float | None,
        typer.Option(min=0.0, help="From here on each frame waits for a key: r goes on, q ends, any other is a frame."),
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.0, help="End after so long on the recording's clock; needed with loop = true.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the bytes of all batches here, one after the other.")] = None,
) -> None:
    """Plays a room of recordings through the live path on its own clock: the states, and a SHA-256 of all bytes."""
    with reporting(live=False) as (console, _):
        from contextlib import nullcontext

        from navigation.clock import MonotonicClock
        from navigation.commands.register.keyboard import open_keys
        from navigation.commands.room.play import Pace, play_room, show
        from navigation.room.read_room import read_room

        pace = Pace(rate=rate, pause_at_s=pause_at_s, seconds=seconds)
        with nullcontext() if out is None else out.open("wb") as stream:
            keep = (lambda message: None) if stream is None else stream.write
            show(play_room(read_room(room), pace, MonotonicClock(), open_keys(), keep), console)


@room_app.command("send")
def room_send_command(
    room: RoomPath,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0 for any that is free.")] = 18944,
    bind: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for clients on the network.")] = "127.0.0.1",
) -> None:
    """Sends the room's tools over OpenIGTLink to one client at a time, until Ctrl-C or the end of a recording."""
    from navigation.terminal.stopping import stop_requested

    with reporting(live=False) as (console, _), stop_requested() as should_stop:
        import time

        from navigation.clock import MonotonicClock
        from navigation.commands.room.send import listen, send_room
        from navigation.room.read_room import read_room

        read = read_room(room)
        with listen(bind, port) as server:
            console.print(f"listening on {bind}:{server.getsockname()[1]}", highlight=False)
            send_room(read, server, MonotonicClock(), time.time_ns, console.print, should_stop)


@room_app.command("print")
def room_print_command(
    pdf: Annotated[Path, typer.Argument(help="PDF file to write, one page of A4.")],
    markers: Annotated[str, typer.Option(help="Numbers of the markers, such as 0-5,8.")] = "0-5",
    size_mm: Annotated[float, typer.Option(min=5.0, max=160.0, help="Side of a marker's dark square.")] = 40.0,
    board: Annotated[str | None, typer.Option(help="A ChArUco board instead: squares across and down, 7x9.")] = None,
    square_mm: Annotated[float, typer.Option(min=5.0, max=80.0, help="Side of a square of the board.")] = 25.0,
    first_id: Annotated[int, typer.Option(min=0, help="Number of the board's first marker.")] = 0,
    dictionary: Annotated[str, typer.Option(help="Which patterns, such as 4x4_50 or apriltag_36h11.")] = "4x4_50",
) -> None:
    """Writes a page of markers, or a calibration board, with a ruler that checks the printer's scale."""
    with reporting(live=False) as (console, _):
        from navigation.commands.room.page import print_board, print_markers

        if board is None:
            said = print_markers(pdf, dictionary, markers, size_mm)
        else:
            said = print_board(pdf, dictionary, board, square_mm, first_id)
        console.print(said, highlight=False, markup=False)
