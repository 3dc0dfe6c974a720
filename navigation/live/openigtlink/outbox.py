"""What waits to be sent to one client. Of everything only the newest waits, so a slow client costs no memory."""

from __future__ import annotations

import socket

_CHUNK_BYTES = 1 << 18
_MOST_AT_ONCE_BYTES = 1 << 20  # so that others have their turn while one is sent a CT


class Outbox:
    """Poses go before the scene, and between two messages of the scene; states of tools and answers before both.

    Attributes:
        poses_dropped: number of frames of poses that a newer one replaced before they were sent.
    """

    def __init__(self) -> None:
        self.poses_dropped = 0
        self._poses = b""
        self._news: dict[str, bytes] = {}
        self._scene: dict[tuple[str, str], bytes] = {}
        self._sending = memoryview(b"")
        self._is_scene_next = False

    def put_poses(self, frame: bytes) -> None:
        """All poses of one frame; they replace those of an older frame that are still waiting."""
        self.poses_dropped += bool(self._poses)
        self._poses = frame

    def drop_poses(self) -> None:
        """Poses that are still waiting are not sent."""
        self.put_poses(b"")

    def put_news(self, key: str, message: bytes) -> None:
        """A small message that replaces an older one of the same key."""
        self._news.pop(key, None)  # so that it is sent in the order in which it happened
        self._news[key] = message

    def put_scene(self, key: tuple[str, str], message: bytes) -> None:
        """A message of kind and name `key`, which may be large; it replaces an older one."""
        self._scene.pop(key, None)
        self._scene[key] = message

    @property
    def is_empty(self) -> bool:
        return not (self._sending or self._news or self._poses or self._scene)

    def send(self, connection: socket.socket) -> int:
        """Sends as much as the connection takes at once, and returns the number of bytes.

        Raises:
            OSError: the connection is broken.
        """
        sent = 0
        while sent < _MOST_AT_ONCE_BYTES and (self._sending or self._next()):
            try:
                count = connection.send(self._sending[:_CHUNK_BYTES])
            except BlockingIOError:
                break
            self._sending = self._sending[count:]
            sent += count
        return sent

    def _next(self) -> bool:
        """Begins to send the next message; False if there is none."""
        if self._news:
            message = b"".join(self._news.values())
            self._news.clear()
        elif self._scene and (self._is_scene_next or not self._poses):
            message, self._is_scene_next = self._scene.pop(next(iter(self._scene))), False
        elif self._poses:
            message, self._poses, self._is_scene_next = self._poses, b"", True
        else:
            return False
        self._sending = memoryview(message)
        return True
