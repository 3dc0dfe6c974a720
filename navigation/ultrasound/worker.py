"""The ultrasound process: takes the newest frame of a source, finds its contours and sends them to who started it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import zmq

from geometry.errors import SurgNavError
from geometry.extras import from_extra
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.devices.driver import Device
from navigation.devices.kept_clock import KeptClock
from navigation.devices.ultrasound.opening import open_recording
from navigation.devices.ultrasound.playback import Playback
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundSource
from navigation.processes.priority import keep_to_itself
from navigation.room.room_images import open_source
from navigation.ultrasound.finding import open_finder, open_judge, sample_frames
from navigation.ultrasound.live.kept_source import KeptSource
from navigation.ultrasound.messages import Ended, Started, pack
from navigation.ultrasound.pipeline import FramePipeline, FrameResult

# Results that wait for a busy reader; further ones are lost to it and counted, since the worker never waits.
QUEUED_RESULTS = 32
# How long the worker waits for a frame before it looks for orders.
_PATIENCE_NS = NS_PER_S // 20

STOP, ACCEPT_GEOMETRY = "stop", "accept the geometry"


@dataclass(frozen=True, kw_only=True)
class WorkerConfig:
    """What the process is started with.

    Attributes:
        source: what `open_recording` takes; or the device of a room, whose images are taken as they come.
        rate_hz: frames a second of a source that has no times of its own.
        speed: of the playback; 1 is as recorded.
        loop: start again at the end.
        model: what `open_finder` takes.
        engine: name of the inference engine; the fastest here without one.
        cache: folder that keeps which one that is.
        endpoint: ZeroMQ endpoint that results are sent to.
    """

    source: str | Device
    rate_hz: float | None
    speed: float
    loop: bool
    model: str
    engine: str | None
    cache: Path
    endpoint: str


class Connection(Protocol):
    """One end of a `multiprocessing` pipe."""

    def poll(self) -> bool: ...
    def recv(self) -> Any: ...
    def send(self, what: object) -> None: ...


class UltrasoundLoop:
    """Takes the newest frame, makes a result of it and hands it on, until the source or the caller ends it.

    Args:
        send: gets each result, and returns False if nobody could take it.
    """

    def __init__(self, source: UltrasoundSource, pipeline: FramePipeline, send: Callable[[FrameResult], bool]) -> None:
        self._source, self._pipeline, self._send = source, pipeline, send
        self.used = self.passed_over = self.unsent = 0
        self._newest = -1

    def step(self) -> None:
        """Handles the newest frame, or returns after a moment without one."""
        frame = self._source.next_frame(_PATIENCE_NS)
        if frame is None or frame.sequence <= self._newest:
            return
        self.passed_over += frame.sequence - self._newest - 1 if self.used else 0
        self._newest = frame.sequence
        self.used += 1
        self.unsent += not self._send(self._pipeline.process(frame))

    def run(self, should_stop: Callable[[], bool]) -> str:
        """Steps until the source ends or `should_stop` returns True; returns why it ended."""
        self._source.start()
        try:
            while not should_stop():
                self.step()
                if ended := self._source.ended:
                    return ended
            return "stopped"
        finally:
            self._source.stop()


def run_ultrasound_process(config: WorkerConfig, connection: Connection) -> None:
    """Entry point of the process: sends `Started`, later `Ended`, or the `SurgNavError` that stopped it."""
    # Ctrl-C at the terminal reaches every process started there; only the one that started this decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    keep_to_itself()
    clock = MonotonicClock()
    with from_extra("ultrasound"):
        import cv2

    cv2.setNumThreads(1)  # its jobs here are too small to share, and the network's threads want the cores
    try:
        source, samples = _opened(config, clock)
        finder = open_finder(config.model, config.engine, samples, clock, config.cache)
        pipeline = FramePipeline(finder, open_judge(config.model), clock)
        finder.find(np.zeros((256, 256), np.uint8), None)  # engines compile at the first call
        with zmq.Context() as context, context.socket(zmq.PUSH) as socket:
            socket.setsockopt(zmq.SNDHWM, QUEUED_RESULTS)
            socket.setsockopt(zmq.LINGER, 500)
            socket.connect(config.endpoint)
            loop = UltrasoundLoop(source, pipeline, _sender(socket))
            connection.send(Started(source.name, source.rate_hz, finder.name))
            reason = loop.run(_orders(connection, pipeline))
        connection.send(Ended(reason, loop.used, loop.passed_over, loop.unsent))
    except SurgNavError as error:
        connection.send(error)
    except (EOFError, BrokenPipeError):
        return  # who started this has ended


def _opened(config: WorkerConfig, clock: MonotonicClock) -> tuple[UltrasoundSource, Sequence[GreyPixels]]:
    """The source, and frames of it that engines are compared on, which a device has none of yet.

    Raises:
        SurgNavError: it cannot be opened, or a device gives no images.
    """
    device = config.source
    if isinstance(device, Device):
        device = device.keeping_clock(KeptClock())
        stated = open_source(device, clock)  # never started: what it is called, and how fast it says that it is
        kept = KeptSource(lambda: open_source(device, clock), clock)
        kept.name, kept.rate_hz = stated.name, stated.rate_hz
        return kept, ()
    recording = open_recording(device, config.rate_hz)
    source = Playback(recording, clock, speed=config.speed, loop=config.loop)
    return source, sample_frames(recording, open_judge(config.model))


def _sender(socket: zmq.Socket[bytes]) -> Callable[[FrameResult], bool]:
    def send(result: FrameResult) -> bool:
        try:
            socket.send_multipart(pack(result), zmq.NOBLOCK, copy=False)
        except zmq.Again:
            return False
        return True

    return send


def _orders(connection: Connection, pipeline: FramePipeline) -> Callable[[], bool]:
    def should_stop() -> bool:
        while connection.poll():
            order = connection.recv()
            if order == STOP:
                return True
            if order == ACCEPT_GEOMETRY:
                pipeline.accept_geometry()
        return False

    return should_stop
