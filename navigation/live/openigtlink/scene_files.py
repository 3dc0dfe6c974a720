"""From the case's files to the scene's messages, in a thread of its own: a CT takes seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from case.atomic import file_sha256
from case.case import Case
from case.markups import read_markups
from case.mesh_files import read_surface
from geometry.errors import SurgNavError
from navigation.devices.openigtlink.errors import LinkError
from navigation.live.openigtlink.scene import Key, SceneMessage, image_message, points_message, surface_message
from reconstruction.in_case import read_ct

Kind = Literal["surface", "landmarks", "targets", "ct"]


@dataclass(frozen=True)
class SceneFile:
    """One thing that clients shall be shown.

    Attributes:
        kind: what it is.
        name: its name at the clients; of a surface the structure, of points ``Landmarks`` or ``Targets``.
        path: its file; of the CT the case's folder.
        sha256: the hash of this version of it.
    """

    kind: Kind
    name: str
    path: Path
    sha256: str


def message_of(file: SceneFile, stamp_ns: int) -> SceneMessage:
    """Reads and packs one thing.

    Raises:
        SurgNavError: its file cannot be read, or is not the one of this hash.
        OSError: its file cannot be read.
    """
    if file.kind == "ct":
        return image_message(file.name, read_ct(Case.open(file.path)).volume, stamp_ns)
    if file_sha256(file.path) != file.sha256:
        raise LinkError(f"the file of '{file.name}', which changed meanwhile", "the file as it was made", "wait")
    if file.kind == "surface":
        return surface_message(replace(read_surface(file.path), name=file.name), stamp_ns)
    group = "Landmark" if file.kind == "landmarks" else "Target"
    return points_message(file.name, group, read_markups(file.path).points_ct_mm, stamp_ns)


class SceneKeeper:
    """Makes the scene what it shall be: what is new is read, one at a time, and what is no longer wanted is withdrawn.

    Args:
        show, withdraw: of the server.
        wall_ns: the wall clock, ns since 1970.
        say: is told what cannot be read.
    """

    def __init__(
        self,
        show: Callable[[SceneMessage], None],
        withdraw: Callable[[Key], None],
        wall_ns: Callable[[], int],
        say: Callable[[str], None],
    ) -> None:
        self._show, self._withdraw, self._wall_ns, self._say = show, withdraw, wall_ns, say
        self._wanted: dict[SceneFile, None] = {}
        self._tried: dict[SceneFile, Key | None] = {}  # what was read, and its key; None if it could not be
        self._reading: tuple[SceneFile, Future[SceneMessage]] | None = None
        self._reader = ThreadPoolExecutor(1, "surgnav-scene")

    def want(self, files: Mapping[str, SceneFile]) -> None:
        """What shall be shown from now on, by any name that stays the same."""
        self._wanted = dict.fromkeys(files.values())
        for file in [known for known in self._tried if known not in self._wanted]:
            key = self._tried.pop(file)
            if key is not None:
                self._withdraw(key)

    def poll(self) -> None:
        """Shows what has been read, and begins to read the next."""
        if self._reading is None:
            file = next((file for file in self._wanted if file not in self._tried), None)
            if file is not None:
                self._reading = file, self._reader.submit(message_of, file, self._wall_ns())
        elif self._reading[1].done():
            (file, read), self._reading = self._reading, None
            if file in self._wanted:
                self._take(file, read)

    def _take(self, file: SceneFile, read: Future[SceneMessage]) -> None:
        self._tried[file] = None
        try:
            message = read.result()
        except SurgNavError as error:
            self._say(f"OpenIGTLink: '{file.name}' is not sent: {error.came}")
        except OSError as error:
            self._say(f"OpenIGTLink: '{file.name}' is not sent: {error.strerror or error}")
        else:
            self._tried[file] = message.key
            self._show(message)

    def close(self) -> None:
        self._reader.shutdown(wait=False, cancel_futures=True)
