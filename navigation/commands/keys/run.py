"""``surgnav keys``: makes the server's keys, enrolls clients and revokes them; all in files that a person can read."""

from __future__ import annotations

import io
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from navigation.headset.server_keys import LIST_FILE, SERVER_FILE
from unity_bridge.transport.allow_list import AllowedClient, load_allow_list, save_allow_list
from unity_bridge.transport.keys import (
    Enrolment,
    KeyPair,
    check_key,
    check_name,
    fingerprint,
    load_key_pair,
    save_key_pair,
    write_private,
)

if TYPE_CHECKING:
    from rich.console import Console

_DAY_S = 86_400
_SECRET_WARNING = (
    "This holds the client's secret key, and is not kept: whoever copies it can pass for this client. Scan it, then "
    "clear the screen. If in doubt, revoke the client and enroll it again."
)


@dataclass(frozen=True, kw_only=True)
class Address:
    """Where clients find the server: hosts, best first, and the three ports."""

    hosts: tuple[str, ...]
    poses: int = 5570
    surfaces: int = 5571
    control: int = 5572


def key_folder() -> Path:
    """Where keys live unless told otherwise: ``surgnav/keys`` in XDG_CONFIG_HOME, ~/.config by default."""
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    base = Path(configured) if Path(configured).is_absolute() else Path.home() / ".config"
    return base / "surgnav" / "keys"


def new_keys(folder: Path, console: Console) -> None:
    """Makes the server's key pair.

    Raises:
        KeyFileError: there is one already.
    """
    from rich.markup import escape

    pair = KeyPair.new()
    save_key_pair(pair, folder / SERVER_FILE)
    console.print(f"server key {fingerprint(pair.public)} in {escape(str(folder / SERVER_FILE))}", highlight=False)


def enroll(
    folder: Path,
    name: str,
    address: Address,
    console: Console,
    public_key: str | None = None,
    days: int | None = None,
    text_file: Path | None = None,
    png: Path | None = None,
) -> Enrolment:
    """Allows a client in, and shows what it needs: as a QR code, and in files where they are asked for.

    Args:
        public_key: of a client that made its pair itself, Z85; otherwise one is made here and the secret is shown once.
        days: after which the key is refused; None for never.

    Raises:
        KeyFileError: no server keys, the name or the key is taken, or a file is there already.
    """
    server = load_key_pair(folder / SERVER_FILE)
    now_s = int(time.time())
    expires_s = None if days is None else now_s + days * _DAY_S
    own = KeyPair.new() if public_key is None else KeyPair(check_key(public_key), "")
    client = AllowedClient(name=check_name(name), public_key=own.public, enrolled_s=now_s, expires_s=expires_s)
    allowed = load_allow_list(folder / LIST_FILE).enroll(client)
    enrolment = Enrolment(
        name=name,
        hosts=address.hosts,
        poses=address.poses,
        surfaces=address.surfaces,
        control=address.control,
        server_public=server.public,
        secret=own.secret,
        expires_s=expires_s,
    )
    text = enrolment.to_text()
    # Files first: a client that is allowed but could not be told its secret would be in the way of its own name.
    if text_file is not None:
        write_private(text_file, text + "\n")
    if png is not None:
        _write_picture(text, png)
    save_allow_list(allowed, folder / LIST_FILE)
    _show(enrolment, text, client.fingerprint, console)
    return enrolment


def list_clients(folder: Path, console: Console) -> None:
    """Shows who may connect, and who may not any more."""
    from rich.table import Table

    console.print(f"server key {fingerprint(load_key_pair(folder / SERVER_FILE).public)}", highlight=False)
    table = Table("client", "fingerprint", "enrolled", "state")
    for client in load_allow_list(folder / LIST_FILE).clients:
        state = "allowed" if client.expires_s is None else f"allowed until {_day(client.expires_s)}"
        if client.expires_s is not None and time.time() >= client.expires_s:
            state = f"expired {_day(client.expires_s)}"
        if client.revoked_s is not None:
            state = f"revoked {_day(client.revoked_s)}"
        table.add_row(client.name, client.fingerprint, _day(client.enrolled_s), state)
    console.print(table)


def revoke(folder: Path, name: str, console: Console) -> None:
    """Takes a client's right away for good; a running server puts it out within one period.

    Raises:
        KeyFileError: no such client is allowed.
    """
    path = folder / LIST_FILE
    save_allow_list(load_allow_list(path).revoke(name, int(time.time())), path)
    console.print(f"'{name}' is revoked; a running server puts it out at once", highlight=False)


def _show(enrolment: Enrolment, text: str, known_as: str, console: Console) -> None:
    import segno

    picture = io.StringIO()
    segno.make(text, error="l", micro=False).terminal(picture, compact=True)
    console.out(f"{picture.getvalue()}\n{text}\n", highlight=False)
    until = "" if enrolment.expires_s is None else f", until {_day(enrolment.expires_s)}"
    console.print(f"'{enrolment.name}' is allowed as {known_as}{until}", highlight=False)
    if enrolment.secret:
        console.print(f"[yellow]{_SECRET_WARNING}[/]", highlight=False)


def _write_picture(text: str, png: Path) -> None:
    """Through a private file, since the picture may hold a secret; `write_private` has made it, and refuses another."""
    import segno

    write_private(png, "")
    with png.open("wb") as file:
        segno.make(text, error="m", micro=False).save(file, kind="png", scale=6)


def _day(unix_time_s: int) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(unix_time_s))
