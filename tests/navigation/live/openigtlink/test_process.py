"""The server in a process of its own: told what to show, it says where it listens, and ends when it is told."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from case.atomic import file_sha256
from case.mesh_files import write_surface
from navigation.clock import MonotonicClock
from navigation.devices.openigtlink.errors import LinkError
from navigation.live.openigtlink.process import LinkProcess
from navigation.live.openigtlink.scene_files import SceneFile
from navigation.live.openigtlink.server import LinkServerSettings
from navigation.live.pose_mirror import PoseMirror
from tests.navigation.live.openigtlink.harness import MATRICES, WEDGE, Reader, states


class Mirrored:
    """A mirror that offers the same young poses whenever the link is polled, and the link's lines."""

    def __init__(self, folder: Path) -> None:
        self.mirror = PoseMirror(f"ipc://{folder}/mirror")
        self.link = LinkProcess(LinkServerSettings(port=0), f"ipc://{folder}/mirror", MonotonicClock())
        self.said: list[str] = []

    def poll(self) -> None:
        self.said += [line for line, _ in self.link.poll()]
        # Not old before they are read, however busy the machine.
        capture_ns = MonotonicClock().now_ns() + 10**11
        self.mirror.offer(states(capture_ns), capture_ns)

    def wait_for(self, condition: Callable[[], object]) -> None:
        while not condition():
            self.poll()
            time.sleep(0.01)

    @property
    def port(self) -> int:
        return int(self.link.address.rpartition(":")[2])

    def close(self) -> None:
        self.link.close()
        self.mirror.close()


def test_shows_poses_and_files_and_says_what_it_cannot_read(tmp_path: Path):
    path = tmp_path / "liver.glb"
    write_surface(path, WEDGE)
    altered = tmp_path / "spleen.glb"
    write_surface(altered, WEDGE)
    with closing(Mirrored(tmp_path)) as room:
        room.link.want(
            {
                "liver": SceneFile("surface", "liver", path, file_sha256(path)),
                "spleen": SceneFile("surface", "spleen", altered, "0" * 64),
            }
        )
        room.wait_for(lambda: room.link.address)
        with Reader(room.port, room.poll) as reader:
            reader.read_until("POLYDATA", "liver")
            shown = reader.read_until("TRANSFORM", "StylusTipToReference").content.matrix
            np.testing.assert_allclose(shown, MATRICES["StylusTipToReference"], rtol=1e-7, atol=1e-9)
            room.wait_for(lambda: any("'spleen' is not sent: the file of 'spleen', which" in s for s in room.said))
            assert not reader.of("POLYDATA", "spleen")
            room.link.want({})
            reader.read(lambda messages: not len(reader.of("POLYDATA", "liver")[-1].content.points_mm))
    assert any("has joined" in line for line in room.said)


def test_a_killed_server_is_back_at_its_port_with_all_that_it_showed(tmp_path: Path):
    path = tmp_path / "liver.glb"
    write_surface(path, WEDGE)
    with closing(Mirrored(tmp_path)) as room:
        room.link.want({"liver": SceneFile("surface", "liver", path, file_sha256(path))})
        room.wait_for(lambda: room.link.address)
        before = room.port
        os.kill(room.link.process_id, signal.SIGKILL)
        room.wait_for(lambda: any("started again" in line for line in room.said[-1:]))
        assert any("has ended: killed by signal 9" in line for line in room.said)
        room.wait_for(lambda: answers(before))
        with Reader(before, room.poll) as reader:
            reader.read_until("POLYDATA", "liver")
            reader.read_until("TRANSFORM", "StylusTipToReference")


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1.0).close()
    except ConnectionRefusedError:
        return False
    return True


def poll_for_ever(link: LinkProcess) -> None:
    while True:
        link.poll()


def test_a_port_in_use_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = LinkServerSettings(port=taken.getsockname()[1])
        link = LinkProcess(settings, "ipc:///tmp/surgnav-nobody", MonotonicClock())
        try:
            with pytest.raises(LinkError, match="cannot be bound"):
                poll_for_ever(link)
        finally:
            link.close()
