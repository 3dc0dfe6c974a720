"""Who is here, as the operator should know it: each coming and going once, and of a client that flaps a count."""

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
    """One name.

    Attributes:
        here: as it is; `told`: as the operator was told last, None if never.
        changed_ns: when it last came or went; `told_ns`: when the operator was last told of it.
        joined, left: how often since then.
        wait_ns: how long it must stay as it is before the operator is told without being asked.
    """

    here: bool = False
    told: bool | None = None
    changed_ns: int = 0
    told_ns: int = 0
    joined: int = 0
    left: int = 0
    wait_ns: int = _SETTLED_NS


class Presence:
    """By name, which clients choose themselves; the longest unheard of that are away make room for new ones.

    The first coming and the first going are said at once. Within the minute after that they are counted; where the
    client comes to rest the operator is told, and of one that never does once a minute.
    """

    def __init__(self) -> None:
        self._clients: OrderedDict[str, _Client] = OrderedDict()
        self.unknown = 0

    def joined(self, name: str, program: str, now_ns: int) -> str:
        """What to say; empty for nothing. A Hello is repeated until it is answered, and said again for a count."""
        client = self._client(name)
        if client is None or client.here:
            return ""
        client.here, client.changed_ns = True, now_ns
        client.joined += 1
        if client.told is None or now_ns - client.told_ns >= EVERY_NS:
            return self._tell(client, now_ns, f"{quoted(name)} has joined ({shown(program, 60)})")
        return ""

    def left(self, name: str, reason: str, now_ns: int) -> str:
        """What to say; empty for nothing."""
        client = self._client(name)
        if client is None or not client.here:
            return ""
        client.here, client.changed_ns = False, now_ns
        client.left += 1
        if client.told:
            return self._tell(client, now_ns, f"{quoted(name)} has left{': ' + shown(reason) if reason else ''}")
        return ""

    def due(self, now_ns: int) -> list[str]:
        """Who has come to rest elsewhere than was told, and who flaps."""
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
            lines.append(f"{self.unknown} times came another client than the {MOST_NAMES} that are here")
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
