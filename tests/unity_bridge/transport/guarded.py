"""A guarded server for tests: keys, an allow list in a file, a wall clock that the test moves."""

from dataclasses import dataclass, field
from pathlib import Path

from tests.unity_bridge.harness import Server
from unity_bridge.transport.allow_list import AllowedClient, load_allow_list, save_allow_list
from unity_bridge.transport.authentication import ServerSecurity
from unity_bridge.transport.keys import ClientKeys, KeyPair


@dataclass
class Guarded:
    """Keys and allow list under `folder`, and servers that go by them."""

    folder: Path
    keys: KeyPair = field(default_factory=KeyPair.new)
    unix_time_s: float = 1_000_000.0

    @property
    def path(self) -> Path:
        return self.folder / "clients.json"

    @property
    def security(self) -> ServerSecurity:
        return ServerSecurity(keys=self.keys, allow_list=self.path, unix_time_s=lambda: self.unix_time_s)

    def server(self) -> Server:
        return Server(security=self.security)

    def enroll(self, name: str, expires_s: int | None = None) -> ClientKeys:
        pair = KeyPair.new()
        client = AllowedClient(name=name, public_key=pair.public, enrolled_s=int(self.unix_time_s), expires_s=expires_s)
        save_allow_list(load_allow_list(self.path).enroll(client), self.path)
        return self.keys_of(pair)

    def revoke(self, name: str) -> None:
        save_allow_list(load_allow_list(self.path).revoke(name, int(self.unix_time_s)), self.path)

    def keys_of(self, pair: KeyPair) -> ClientKeys:
        return ClientKeys(server_public=self.keys.public, own=pair)


def reasons(server: Server) -> str:
    """All refusals since the last call, of all three sockets and both gates."""
    refused = server.poses.take_refusals() + server.control.take_refusals() + server.surfaces.take_refusals()
    refused += server.gate.refusals.take() if server.gate else ()
    return "; ".join(map(str, refused))
