"""The command ``surgnav demo`` and its options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from navigation.commands import options
from navigation.terminal.json_files import write_json_file
from navigation.terminal.reporting import now, reporting

ULTRASOUND = (
    "Scan the phantom's spine live with a simulated probe, and renew its registration by the bone that is seen. With "
    "--seed, --out, --json and --stream-s."
)


def demo_command(
    ct: Annotated[Path | None, typer.Option(help="Your own CT: DICOM folder or NIfTI file.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use the procedural phantom; no download.")] = False,
    seed: Annotated[
        int | None,
        typer.Option(
            help="Decides pose, noise and the surgeon's hand, usually 1. With --room: its devices see the simulated "
            "surgery of this seed, and the result is scored."
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for case and pictures.")] = Path("out/demo"),
    json_file: options.JsonFile = None,
    stream_s: Annotated[float, typer.Option(help="Seconds of streaming.")] = 20.0,
    room: Annotated[
        Path | None,
        typer.Option(help="Room file of the devices that see the surgery; without it tracker and hand are simulated."),
    ] = None,
    record: Annotated[
        Path | None,
        typer.Option(help="Write the simulated surgery here as a sequence of PLUS (.igs.mha), to be played to --room."),
    ] = None,
    client: Annotated[str, typer.Option(help="The headset: python, csharp (.NET 8) or csharp-mono.")] = "python",
    ultrasound: Annotated[bool, typer.Option("--ultrasound", help=ULTRASOUND)] = False,
) -> None:
    """The whole path on a simulated patient: CT, surfaces, registration, stream to a client, scored.

    With --room the stylus that registers is the room's: out of sight for 3 s, pivoted for 12 s, held on each planned
    point for 2.5 s, drawn over the skin for 25 s, and out of sight for a second and a half between two of these. What
    --record wrote does so.
    """
    from navigation.demo.headset_program import Headset

    if ultrasound:
        _check_alone((ct, room, record), client)
        _run_ultrasound(json_file, {"out": out, "seed": 1 if seed is None else seed, "stream_s": stream_s})
        return
    if client not in set(Headset):
        raise typer.BadParameter(f"'{client}': one of {', '.join(Headset)}", param_hint="--client")
    chosen = {"out": out, "ct": ct, "offline": offline, "seed_given": seed, "record": record, "stream_s": stream_s}
    _run(room, json_file, chosen | {"headset": Headset(client)})


def _check_alone(others: Sequence[Path | None], client: str) -> None:
    if client != "python" or any(each is not None for each in others):
        raise typer.BadParameter("with --ultrasound: --seed, --out, --json and --stream-s", param_hint="--ultrasound")


def _run(room: Path | None, json_file: Path | None, chosen: dict[str, Any]) -> None:
    from navigation.clock import MonotonicClock
    from navigation.demo.pictures import draw_pictures
    from navigation.demo.report import as_json, check_ages, check_registered, render
    from navigation.demo.run import run_demo
    from navigation.demo.settings import DemoSettings
    from navigation.room.read_room import read_room

    with reporting(json_file=json_file) as (console, progress):

        def warn(text: str) -> None:
            console.print(text, style="yellow", markup=False, highlight=False)

        settings = DemoSettings(room=None if room is None else read_room(room), **chosen)
        result = run_demo(settings, MonotonicClock(), now(), progress, warn)
        pictures = draw_pictures(result, settings.out, warn)
        render(result, [str(path) for path in pictures], console)
        if json_file is not None:
            write_json_file(json_file, as_json(result))
        check_ages(result)
        check_registered(result)


def _run_ultrasound(json_file: Path | None, chosen: dict[str, Any]) -> None:
    from navigation.clock import MonotonicClock
    from navigation.demo.ultrasound.pictures import draw_pictures
    from navigation.demo.ultrasound.report import as_json, check_shown, render
    from navigation.demo.ultrasound.run import UltrasoundDemoSettings, run_ultrasound_demo

    with reporting(json_file=json_file) as (console, progress):

        def warn(text: str) -> None:
            console.print(text, style="yellow", markup=False, highlight=False)

        result = run_ultrasound_demo(UltrasoundDemoSettings(**chosen), MonotonicClock(), now(), progress)
        pictures = draw_pictures(result, warn)
        render(result, [str(path) for path in pictures], console)
        if json_file is not None:
            write_json_file(json_file, as_json(result))
        check_shown(result)
