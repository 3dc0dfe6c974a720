"""Tells the operator which clients are connected, and counts the changes of one that joins and leaves repeatedly."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from navigation.clock import NS_PER_S
from navigation.terminal.foreign_text import quoted, shown
from navigation.terminal.repeated_news import EVERY_NS

MOST_NAMES = 64
_SETTLED_NS = 5 * NS_PER_S


@dataclass
class _Client:
    """The client of one name.

    Attributes:
        here: whether it is connected.
        told: the value of `here` that the operator was told last; None if never.
        changed_ns: when it last joined or left.
        told_ns: when the operator was last told of it.
        joined, left: how often it joined and left since `told_ns`.
        wait_ns: how long it must stay connected or away before the operator is told.
    """

    here: bool = False
    told: bool | None = None
    changed_ns: int = 0
    told_ns: int = 0
    joined: int = 0
    left: int = 0
    wait_ns: int = _SETTLED_NS


class Presence:
    """Which clients are connected, by the name that each client chooses itself.

    The first joining and the first leaving of a client are told at once. In the minute after that, further changes are
    counted; the operator is told once the client has settled, or once a minute if it does not. At most `MOST_NAMES`
    names are kept: a new one replaces the client that has been away longest.
    """

    def __init__(self) -> None:
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self.unknown = 0

    def joined(self, name: str, program: str, now_ns: int) -> str:
        """The line to show for a Hello; empty for none, since a client repeats its Hello until it is answered."""
        client = self._client(name)
        if client is None or client.here:
            return ""
        client.here, client.changed_ns = True, now_ns
        client.joined += 1
        if client.told is None or now_ns - client.told_ns >= EVERY_NS:
            return self._tell(client, now_ns, f"{quoted(name)} has joined ({shown(program, 60)})")
        return ""

    def left(self, name: str, reason: str, now_ns: int) -> str:
        """The line to show for a Goodbye; empty for none."""
        client = self._client(name)
        if client is None or not client.here:
            return ""
        client.here, client.changed_ns = False, now_ns
        client.left += 1
        if client.told:
            return self._tell(client, now_ns, f"{quoted(name)} has left{': ' + shown(reason) if reason else ''}")
        return ""

    def due(self, now_ns: int) -> list[str]:
        """Lines on clients that have settled otherwise than was told, and on those that keep joining and leaving."""
        lines: list[str] = []
        for name, client in self._clients.items():
            settled = client.here != client.told and now_ns - client.changed_ns >= client.wait_ns
            over = now_ns - client.told_ns >= EVERY_NS
            if over and not client.joined + client.left:
                client.wait_ns = _SETTLED_NS
            elif settled or over:
                client.wait_ns = min(2 * client.wait_ns, EVERY_NS)
                where = "here" if client.here else "away"
                counts = f"joined {client.joined} and left {client.left} times since"
                lines.append(self._tell(client, now_ns, f"{quoted(name)} is {where} now ({counts})"))
        if self.unknown:
            lines.append(f"{self.unknown} Hellos from clients beyond the {MOST_NAMES} that are here")
            self.unknown = 0
        return lines

    def _client(self, name: str) -> _Client | None:
        known = self._clients.get(name)
        if known is None:
            if len(self._clients) >= MOST_NAMES:
                away = (other for other, client in self._clients.items() if not client.here)
                gone = next(away, None)
                if gone is None:
                    self.unknown += 1
                    return None
                del self._clients[gone]
            known = self._clients[name] = _Client()
        self._clients.move_to_end(name)
        return known

    @staticmethod
    def _tell(client: _Client, now_ns: int, line: str) -> str:
        client.told, client.told_ns = client.here, now_ns
        client.joined = client.left = 0
        return line
