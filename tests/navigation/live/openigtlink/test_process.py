"""The server in a process of its own: told what to show, it says where it listens, and ends when it is told."""

from __future__ import annotations

import multiprocessing
import socket
from collections.abc import Callable
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
from navigation.live.pose_mirror import TAKEN
from tests.navigation.live.openigtlink.harness import MATRICES, WEDGE, Reader, poses


def await_line(link: LinkProcess, said: list[str], condition: Callable[[], object]) -> None:
    while not condition():
        said += link.poll()


def test_shows_poses_and_files_and_says_what_it_cannot_read(tmp_path: Path):
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    path = tmp_path / "liver.glb"
    write_surface(path, WEDGE)
    altered = tmp_path / "spleen.glb"
    write_surface(altered, WEDGE)
    link, said = LinkProcess(LinkServerSettings(port=0), theirs), []
    try:
        link.want(
            {
                "liver": SceneFile("surface", "liver", path, file_sha256(path)),
                "spleen": SceneFile("surface", "spleen", altered, "0" * 64),
            }
        )
        await_line(link, said, lambda: link.address)
        with Reader(int(link.address.rpartition(":")[2]), lambda: said.extend(link.poll())) as reader:
            reader.read_until("POLYDATA", "liver")
            ours.send(poses(MonotonicClock().now_ns() + 10**11))  # not old before it is read, however busy the machine
            shown = reader.read_until("TRANSFORM", "StylusTipToReference").content.matrix
            np.testing.assert_allclose(shown, MATRICES["StylusTipToReference"], rtol=1e-7, atol=1e-9)
            assert ours.recv_bytes() == TAKEN
            await_line(link, said, lambda: any("'spleen' is not sent: the file of 'spleen', which" in s for s in said))
            assert not reader.of("POLYDATA", "spleen")
            link.want({})
            reader.read(lambda messages: not len(reader.of("POLYDATA", "liver")[-1].content.points_mm))
    finally:
        link.close()
    assert any("has joined" in line for line in said)


def test_a_port_in_use_is_said():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        _, theirs = multiprocessing.get_context("spawn").Pipe()
        link = LinkProcess(LinkServerSettings(port=taken.getsockname()[1]), theirs)
        try:
            with pytest.raises(LinkError, match="cannot be bound"):
                await_line(link, [], lambda: False)
        finally:
            link.close()
