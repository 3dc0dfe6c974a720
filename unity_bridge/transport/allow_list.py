"""The allow list: the clients that may connect, in a JSON file that is written atomically."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from unity_bridge.errors import KeyFileError
from unity_bridge.transport.keys import check_key, check_name, fingerprint

_VERSION = 1
_SIZE_LIMIT = 2**20


@dataclass(frozen=True, kw_only=True)
class AllowedClient:
    """One client of the list. Times are seconds since 1970.

    Attributes:
        name: the client's name, unique among those who are not revoked.
        public_key: its key in Z85.
        enrolled_s: time of enrolment.
        expires_s: time from which on the key is refused; None if it does not expire.
        revoked_s: time of revocation; None if not revoked. Revoked keys stay in the list, so that the server can state
            why it refuses them.
    """

    name: str
    public_key: str
    enrolled_s: int
    expires_s: int | None = None
    revoked_s: int | None = None

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.public_key)


@dataclass(frozen=True)
class AllowList:
    """The clients in the order of their enrolment.

    Raises:
        KeyFileError: a key, or the name of a client that is not revoked, comes twice.
    """

    clients: tuple[AllowedClient, ...] = ()

    def __post_init__(self) -> None:
        keys = [client.public_key for client in self.clients]
        names = [client.name for client in self.clients if client.revoked_s is None]
        for what, values in (("key", keys), ("name", names)):
            if len(set(values)) != len(values):
                raise KeyFileError(f"an allow list with a {what} twice", "each once", "remove one of them")

    def find(self, public_key: str) -> AllowedClient | None:
        """The client with this key, revoked or not; None if there is none."""
        return next((client for client in self.clients if client.public_key == public_key), None)

    def refusal(self, public_key: str, unix_time_s: float) -> str:
        """Why this key is refused at this time; empty if it is admitted."""
        client = self.find(public_key)
        if client is None:
            return f"unknown key {fingerprint(public_key)}"
        if client.revoked_s is not None:
            return f"revoked key {client.fingerprint} of '{client.name}'"
        if client.expires_s is not None and unix_time_s >= client.expires_s:
            return f"expired key {client.fingerprint} of '{client.name}'"
        return ""

    def enroll(self, client: AllowedClient) -> AllowList:
        """The list with one more client.

        Raises:
            KeyFileError: the name is taken, or the key was enrolled before, even if it was revoked since.
        """
        known = self.find(client.public_key)
        if known is not None:
            raise KeyFileError(f"a key that is enrolled for '{known.name}'", "a new key", "make a new key pair")
        if any(other.name == client.name and other.revoked_s is None for other in self.clients):
            raise KeyFileError(f"the name '{client.name}', which is taken", "a new name", "choose another or revoke it")
        return AllowList((*self.clients, client))

    def revoke(self, name: str, unix_time_s: int) -> AllowList:
        """The list with this client's key refused for good.

        Raises:
            KeyFileError: no client of this name is allowed.
        """
        if not any(client.name == name and client.revoked_s is None for client in self.clients):
            names = sorted(client.name for client in self.clients if client.revoked_s is None)
            raise KeyFileError(f"the unknown client '{name}'", f"one of {names}", "see 'surgnav keys list'")
        return AllowList(
            tuple(
                replace(client, revoked_s=unix_time_s) if client.name == name and client.revoked_s is None else client
                for client in self.clients
            )
        )

    def next_change_s(self, unix_time_s: float) -> float:
        """When the next key expires; infinity if none does."""
        later = (c.expires_s for c in self.clients if c.expires_s is not None and c.expires_s > unix_time_s)
        return min(later, default=float("inf"))


def load_allow_list(path: Path) -> AllowList:
    """Reads the list; a missing file is an empty list, which admits nobody.

    Raises:
        KeyFileError: damaged, or unreadable.
    """
    try:
        with path.open(encoding="utf-8") as file:
            found = json.loads(file.read(_SIZE_LIMIT))
        if found["version"] != _VERSION:
            raise KeyFileError(f"an allow list of version {found['version']}", f"version {_VERSION}", "update SurgNav")
        return AllowList(tuple(_client(entry) for entry in found["clients"]))
    except FileNotFoundError:
        return AllowList()
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise KeyFileError(
            f"the allow list {path}: {error}", "what 'surgnav keys enroll' writes", "repair it, or enroll again"
        ) from error


def save_allow_list(allow_list: AllowList, path: Path) -> None:
    """Replaces the file atomically: a server that reads it meanwhile sees the old list or the new one.

    Raises:
        KeyFileError: the file cannot be written.
    """
    clients = [asdict(client) for client in allow_list.clients]
    text = json.dumps({"version": _VERSION, "clients": clients}, indent=2) + "\n"
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise KeyFileError(
            f"an error in writing {path}: {error.strerror}", "a folder that can be written", "check the path"
        ) from error


def _client(entry: dict[str, object]) -> AllowedClient:
    times = {key: entry.get(key) for key in ("enrolled_s", "expires_s", "revoked_s")}
    if not all(isinstance(value, int) or (value is None and key != "enrolled_s") for key, value in times.items()):
        raise ValueError(f"the times of '{entry['name']}', which are whole seconds or null")
    return AllowedClient(
        name=check_name(str(entry["name"])),
        public_key=check_key(str(entry["public_key"])),
        **times,  # type: ignore[arg-type]
    )
