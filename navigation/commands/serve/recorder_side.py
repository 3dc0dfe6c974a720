"""The recorder of ``surgnav serve``: everything that goes in and out, into the case unless told otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from navigation.commands.serve.command import ServeRequest
from navigation.devices.driver import Device
from navigation.live.service import NavigationService
from navigation.operator_screen.screen import PLAIN, WARNING, OperatorScreen
from navigation.processes.child import ChildState
from navigation.recorder.process import RecorderConfig, RecorderProcess
from navigation.recorder.tap import device_topic
from navigation.recorder.writing import RecorderState

RECORDINGS = "recordings"


class RecorderSide:
    """Shows the operator how the recorder stands, and tells one that was started again what is in force.

    Attributes:
        address: where taps connect; empty where nothing is recorded.
    """

    def __init__(self, recorder: RecorderProcess | None) -> None:
        self._recorder, self._restarts = recorder, 0
        self.address = "" if recorder is None else recorder.address

    @property
    def state(self) -> RecorderState | None:
        """How the recorder stands; None without one, and before it said so."""
        return None if self._recorder is None else self._recorder.state

    @property
    def processes(self) -> tuple[ChildState, ...]:
        """How its process stands; empty without one."""
        return () if self._recorder is None else (self._recorder.process,)

    def poll(self, service: NavigationService, screen: OperatorScreen) -> None:
        """Shows what is new; a recorder that has ended is started again."""
        if self._recorder is None:
            return
        for line, is_bad in self._recorder.poll():
            screen.say(line, WARNING if is_bad else PLAIN)
        if self._recorder.process.restarts > self._restarts:
            self._restarts = self._recorder.process.restarts
            service.tell_recorder()


def recordings_of(request: ServeRequest) -> Path | None:
    """The folder of what is recorded; None where nothing is."""
    return None if request.no_record else request.record or request.case / RECORDINGS


@contextmanager
def recorder_side(request: ServeRequest, devices: Sequence[Device]) -> Iterator[RecorderSide]:
    """The recorder while the block runs, and until it has written what it was given."""
    folder = recordings_of(request)
    if folder is None:
        yield RecorderSide(None)
        return
    config = RecorderConfig(
        folder=folder,
        tool_ids={device_topic(device.name): {tool.name: tool.id for tool in device.tools} for device in devices},
    )
    with closing(RecorderProcess(config)) as recorder:
        yield RecorderSide(recorder)
