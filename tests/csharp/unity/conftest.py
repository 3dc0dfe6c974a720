"""The sample scene, and a server for it."""

import contextlib

import pytest

from tests.csharp.unity.played_room import Room
from tests.csharp.unity.unity_builds import build_player
from tests.csharp.unity.unity_player import UnityPlayer


@pytest.fixture(scope="session")
def player_program(tools, core_assembly):
    return build_player(core_assembly, tools)


@pytest.fixture
def room():
    room = Room()
    with contextlib.closing(room.server):
        yield room


@pytest.fixture
def start_player(player_program, tools, runtime, tmp_path, room):
    """Presses play: the sample scene, with the room's server in the place of the file's; `room` is closed after it."""
    with contextlib.ExitStack() as stack:

        def start(room: Room, *before: str) -> UnityPlayer:
            player = UnityPlayer(player_program, tools, runtime, room.work, tmp_path)
            stack.callback(player.close)
            player.load(
                *before,
                poseEndpoint=room.server.endpoints.poses,
                surfaceEndpoint=room.server.endpoints.surfaces,
                controlEndpoint=room.server.endpoints.control,
            )
            return player

        yield start


@pytest.fixture
def player(start_player, room):
    return start_player(room)
