"""``surgnav replay``: waits for a client, and plays a recording to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from rich.console import Console

from navigation.clock import NS_PER_S, MonotonicClock
from navigation.commands.keys.run import key_folder
from navigation.commands.recordings.command import ReplayRequest
from navigation.headset.server_keys import open_security
from navigation.recorder.contents import RecordingFile
from navigation.recorder.replay import NOTICE, Replay, ReplaySettings
from navigation.terminal.quit_key import pressed_keys
from unity_bridge.transport.endpoints import is_local

_IDLE_NS = 10_000_000
# After the last message, before the sockets close on what a client has not read yet.
_LINGER_NS = NS_PER_S


def replay(request: ReplayRequest, console: Console, should_stop: Callable[[], bool]) -> None:
    """Runs to the end of the recording, until ``q`` or until `should_stop`.

    Raises:
        SurgNavError: no recording of a service, or an address that cannot be bound.
    """
    clock = MonotonicClock()
    recording = RecordingFile(request.recording)
    local = is_local(f"tcp://{request.bind}:1")
    poses, surfaces, control = (f"tcp://{request.bind}:{port or '*'}" for port in request.ports)
    settings = ReplaySettings(
        endpoints=(poses, surfaces, control, f"tcp://{request.bind}:*"),
        security=None if request.keys is None and local else open_security(request.keys or key_folder()),
        rate=request.rate,
    )
    with closing(Replay(recording, settings, clock)) as played, pressed_keys() as next_key:
        console.print(NOTICE, style="yellow", highlight=False)
        sockets = played.poses.endpoint, played.surfaces.endpoint, played.control.endpoint
        console.print("poses {}  surfaces {}  control {}".format(*sockets), highlight=False)
        console.print("waiting for a client; then space pauses, '.' steps, q ends", highlight=False)
        end_ns = None
        while not should_stop() and (end_ns is None or clock.now_ns() < end_ns):
            played.poll()
            key = None if next_key is None else next_key()
            if key == "q":
                break
            _obey(key, played)
            if not played.played and not played.clock.is_running and played.poses.subscriber_count:
                played.run(True)
            if played.is_ended and end_ns is None:
                end_ns = clock.now_ns() + _LINGER_NS
            if not played.clock.is_running or played.is_ended:
                clock.sleep_until_ns(clock.now_ns() + _IDLE_NS)
        console.print(_ended(played, recording), highlight=False)


def _obey(key: str | None, played: Replay) -> None:
    if key == " ":
        played.run(not played.clock.is_running)
    elif key == ".":
        played.step()


def _ended(played: Replay, recording: RecordingFile) -> str:
    said = f"played {played.played} messages of the pose socket, {played.played_s:.1f} s of the recording"
    if not played.is_ended:
        return f"{said}; stopped before its end"
    faults = "".join(f"; damaged: {fault}" for fault in recording.faults)
    return f"{said}{'' if recording.is_closed else '; it was never closed'}{faults}"
