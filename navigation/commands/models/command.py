"""The commands ``surgnav models list, add, show, check`` and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from navigation.commands import options
from navigation.terminal.json_files import write_json_file
from navigation.terminal.reporting import reporting

models_app = typer.Typer(help="CT networks: ours, and those of others.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Its name in 'surgnav models list'.")]


@models_app.command("list")
def models_list_command() -> None:
    """Every network that is known here: what it finds, at which spacing, and whether it runs."""
    with reporting(live=False) as (console, _):
        from navigation.commands.models.run import list_models

        list_models(console)


@models_app.command("add")
def models_add_command(
    path: Annotated[Path, typer.Argument(help="MONAI bundle, nnU-Net v2 model, ONNX file, or what train wrote.")],
    name: Annotated[str | None, typer.Option(help="What to call it; by default as its folder or file.")] = None,
    trust: Annotated[
        bool, typer.Option("--trust", help="Its files may run code on this machine: only if you know who made them.")
    ] = False,
    orientation: Annotated[
        Literal["LPS", "RAS"] | None,
        typer.Option(help="For an nnU-Net model: which way its training scans lay, where its files do not say it."),
    ] = None,
    mirror: Annotated[
        bool, typer.Option("--mirror", help="For an nnU-Net model: average over mirrored windows; 8 times as slow.")
    ] = False,
) -> None:
    """Makes a network of others known here, by a small description with the hashes of its files."""
    with reporting(live=False) as (console, _):
        from navigation.commands.models.folders import open_registry
        from navigation.commands.models.run import show_model

        card = open_registry().add(path, name, trusted=trust, orientation=orientation, mirror=mirror)
        show_model(card, console)
        console.print(f"added; 'surgnav models check {card.name}' tries it", highlight=False, markup=False)


@models_app.command("show")
def models_show_command(name: Name) -> None:
    """What a network says of itself: structures, spacing, orientation, intensities, licence, training data."""
    with reporting(live=False) as (console, _):
        from navigation.commands.models.folders import open_registry
        from navigation.commands.models.run import show_model, show_shipped
        from reconstruction.network.weights import load_weights, shipped_ct_networks

        shipped = shipped_ct_networks()
        if name in shipped:
            show_shipped(load_weights(shipped[name]), console)
        else:
            show_model(open_registry().card(name), console)


@models_app.command("check")
def models_check_command(name: Name, json_file: options.JsonFile = None) -> None:
    """Loads a network and runs it on a small synthetic CT: what came out, in what time, with how much memory."""
    with reporting(json_file=json_file) as (console, progress):
        from navigation.commands.models.check import check_model, show_check

        result = check_model(name, progress)
        show_check(result, console)
        if json_file is not None:
            write_json_file(json_file, result.to_json())
