"""A simulated room that is served and recorded, with the very bytes that a subscriber received."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import zmq

from navigation.live.pose_graph import PoseGraph
from navigation.live.service import NavigationService
from navigation.recorder.process import RecorderConfig, RecorderProcess
from navigation.recorder.replay import Replay
from navigation.recorder.tap import device_topic
from navigation.simulation.operating_room import OperatingRoom
from tests.navigation.live.served_room import registered, room_config, service_config
from unity_bridge.transport.admission import Admissions
from unity_bridge.wire.generated.constants import WIRE_MAGIC


@dataclass(frozen=True)
class Recorded:
    """The file, and what a subscriber received meanwhile, oldest first."""

    path: Path
    received: list[bytes]


@contextmanager
def subscriber(server: NavigationService | Replay, endpoint: str) -> Iterator[zmq.Socket[bytes]]:
    """As a client that has passed the self-test, from before the first batch on."""
    with zmq.Context() as context, context.socket(zmq.SUB) as socket:
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.connect(endpoint)
        for topic in (WIRE_MAGIC, Admissions(server._admission_secret, print).issue("")):
            socket.subscribe(topic)
        yield socket


def take(socket: zmq.Socket[bytes], received: list[bytes], timeout_ms: int = 0) -> None:
    while socket.poll(timeout_ms):
        received.append(socket.recv())


def recorded_room(folder: Path, batches: int = 300) -> Recorded:
    """Serves until a subscriber has so many batches; the registration is withdrawn on the way."""
    graph = registered(OperatingRoom(room_config()))
    config = service_config(graph)
    ids = {device_topic(device.name): {tool.name: tool.id for tool in device.tools} for device in config.devices}
    received: list[bytes] = []
    with (
        closing(_begun(RecorderProcess(RecorderConfig(folder=folder, tool_ids=ids)))) as recorder,
        NavigationService(replace(config, recorder=recorder.address)) as service,
        subscriber(service, service.pose_endpoint) as socket,
    ):
        while len(received) < batches:
            service.poll(5)
            recorder.poll()
            take(socket, received)
            if len(received) > batches // 2 and service.state.graph.registration is not None:
                service.update(PoseGraph(graph.tips), "withdrawn by the test")
        service.stop()
        take(socket, received, 500)
    (path,) = folder.iterdir()
    return Recorded(path, received)


def _begun(recorder: RecorderProcess) -> RecorderProcess:
    """Once it takes messages: on a busy machine the room would be over before."""
    while recorder.state is None:
        recorder.poll()
        time.sleep(0.01)
    return recorder
