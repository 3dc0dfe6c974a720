"""The command ``surgnav demo`` and its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from navigation.commands import options
from navigation.terminal.json_files import write_json_file
from navigation.terminal.reporting import now, reporting


def demo_command(
    ct: Annotated[Path | None, typer.Option(help="Your own CT: DICOM folder or NIfTI file.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Use the procedural phantom; no download.")] = False,
    seed: Annotated[int, typer.Option(help="Decides pose, noise and the surgeon's hand.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for case and pictures.")] = Path("out/demo"),
    json_file: options.JsonFile = None,
    stream_s: Annotated[float, typer.Option(help="Seconds of streaming.")] = 20.0,
    client: Annotated[str, typer.Option(help="The headset: python, csharp (.NET 8) or csharp-mono.")] = "python",
) -> None:
    """The whole path on a simulated patient: CT, surfaces, registration, stream to a client, scored."""
    from navigation.clock import MonotonicClock
    from navigation.demo.headset_program import Headset
    from navigation.demo.pictures import draw_pictures
    from navigation.demo.report import as_json, check_ages, render
    from navigation.demo.run import DemoSettings, run_demo

    if client not in set(Headset):
        raise typer.BadParameter(f"'{client}': one of {', '.join(Headset)}", param_hint="--client")
    settings = DemoSettings(out=out, ct=ct, offline=offline, seed=seed, stream_s=stream_s, headset=Headset(client))
    with reporting(json_file=json_file) as (console, progress):

        def warn(text: str) -> None:
            console.print(text, style="yellow", markup=False, highlight=False)

        result = run_demo(settings, MonotonicClock(), now(), progress, warn)
        pictures = draw_pictures(result, out, warn)
        render(result, [str(path) for path in pictures], console)
        if json_file is not None:
            write_json_file(json_file, as_json(result))
        check_ages(result)
