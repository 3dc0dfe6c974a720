"""The commands ``surgnav keys new, enroll, list, revoke`` and their options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from navigation.terminal.reporting import reporting

keys_app = typer.Typer(help="Keys of the wire: who may connect from outside this machine.", no_args_is_help=True)
KeyFolder = Annotated[
    Path | None, typer.Option("--folder", help="Where keys live; surgnav/keys in XDG_CONFIG_HOME by default.")
]


@keys_app.command("new")
def keys_new_command(folder: KeyFolder = None) -> None:
    """Makes the server's key pair; never overwrites one."""
    from navigation.commands.keys.run import key_folder, new_keys

    with reporting(live=False) as (console, _):
        new_keys(folder or key_folder(), console)


@keys_app.command("enroll")
def keys_enroll_command(
    name: Annotated[str, typer.Argument(help="The client's name: letters, digits, '_', '.', '-'.")],
    host: Annotated[list[str], typer.Option(help="Address of this server as the client sees it; may be repeated.")],
    poses: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the pose socket.")] = 5570,
    surfaces: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the surface socket.")] = 5571,
    control: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the control socket.")] = 5572,
    public_key: Annotated[
        str | None, typer.Option("--public-key", help="The client's own key, 40 characters of Z85; else one is made.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="The key is refused after so many days.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the enrolment text here too (mode 0600).")] = None,
    png: Annotated[Path | None, typer.Option(help="Write the QR code here too (mode 0600).")] = None,
    folder: KeyFolder = None,
) -> None:
    """Allows a client in, and shows what it needs as a QR code."""
    from navigation.commands.keys.run import Address, enroll, key_folder

    address = Address(hosts=tuple(host), poses=poses, surfaces=surfaces, control=control)
    with reporting(live=False) as (console, _):
        enroll(folder or key_folder(), name, address, console, public_key, days, out, png)


@keys_app.command("list")
def keys_list_command(folder: KeyFolder = None) -> None:
    """Shows who may connect, and who may not any more."""
    from navigation.commands.keys.run import key_folder, list_clients

    with reporting(live=False) as (console, _):
        list_clients(folder or key_folder(), console)


@keys_app.command("revoke")
def keys_revoke_command(
    name: Annotated[str, typer.Argument(help="The client's name.")], folder: KeyFolder = None
) -> None:
    """Takes a client's right away for good; a running server puts it out at once."""
    from navigation.commands.keys.run import key_folder, revoke

    with reporting(live=False) as (console, _):
        revoke(folder or key_folder(), name, console)
