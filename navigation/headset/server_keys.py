"""Where a folder of keys has those of this server, and its allow list."""

from __future__ import annotations

import time
from pathlib import Path

from unity_bridge.transport.authentication import ServerSecurity
from unity_bridge.transport.keys import load_key_pair

SERVER_FILE, LIST_FILE = "server.json", "clients.json"


def open_security(folder: Path) -> ServerSecurity:
    """Keys and allow list of a server.

    Raises:
        KeyFileError: no keys there, or not kept private.
    """
    return ServerSecurity(
        keys=load_key_pair(folder / SERVER_FILE), allow_list=folder / LIST_FILE, unix_time_s=time.time
    )
