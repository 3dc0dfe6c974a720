"""A registration that takes landmarks from a headset too: its control socket, and a dialogue that waits for both."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from geometry import SurgNavError
from navigation.acquisition.headset_touches import HeadsetTouch, HeadsetTouches
from navigation.acquisition.stylus import Stylus
from navigation.clock import MonotonicClock
from navigation.commands.register.keyboard import Keys
from navigation.commands.register.screens import plain
from navigation.commands.register.session_file import KeptSession
from navigation.devices.driver import Tool
from navigation.devices.headset import HeadsetSettings
from navigation.devices.headset.host import HOSTS
from navigation.room.room import Room
from registration.errors import RegisteringError
from unity_bridge.control.event_window import Outcome

TOUCHED = "touched at the headset"


class TouchesAtHeadset:
    """What the dialogue needs of a headset: its touches beside the keys.

    Args:
        keys: of the person at this program; read in a thread while a touch may come first.
    """

    def __init__(self, touches: HeadsetTouches, keys: Keys) -> None:
        self._touches, self._keys = touches, keys
        self._typed: list[str | None] = []
        self._is_reading = False

    def next_step(self) -> str | None:
        """The next key, or `TOUCHED` if a touch has come; None if there are no more keys."""
        if not self._is_reading:
            self._is_reading = True
            threading.Thread(target=self._read, name="surgnav-keys", daemon=True).start()
        changed = self._touches.changed
        with changed:
            changed.wait_for(lambda: self._typed or self._touches.is_waiting)
            if self._touches.is_waiting:
                return TOUCHED
            self._is_reading = False
            return self._typed.pop()

    def keep(self, session: KeptSession) -> str:
        """Takes the oldest touch into the session, answers it, and returns what to say of it.

        Raises:
            RegisteringError: it cannot be taken now, or not be kept; the headset is told so.
        """
        touch = self._touches.take()
        try:
            _keep(touch, session)
        except SurgNavError as error:
            self._touches.answer(touch, Outcome(error=error))
            raise
        self._touches.answer(touch, Outcome(f"kept as the touch of '{touch.landmark}'"))
        touched = touch.touched
        return (
            f"[green]✓[/] {plain(touch.landmark)}, {TOUCHED} {plain(touch.client)}, stated in '{touch.frame}': "
            f"{touched.n_frames} samples, spread {touched.spread_rms_mm or 0.0:.2f} mm"
        )

    def _read(self) -> None:
        key = self._keys.next()
        with self._touches.changed:
            self._typed.append(key)
            self._touches.changed.notify_all()


@contextmanager
def taking_touches(
    room: Room, tool: Tool, landmarks: Collection[str], stylus: Stylus
) -> Iterator[HeadsetTouches | None]:
    """The control socket is open, and touches with this stylus are taken, where the room says so; else None.

    Raises:
        EndpointRefusedError: the address is in use, as while `surgnav serve` runs, or needs keys.
        KeyFileError: no keys where the room file says.
    """
    device = next((each for each in room.devices if tool in each.tools), None)
    headset = None if device is None else device.settings
    if device is None or not isinstance(headset, HeadsetSettings) or not headset.takes_touches:
        yield None
        return
    clock = MonotonicClock()
    touches = HeadsetTouches(device, tool, landmarks, stylus.settings, clock)
    host = HOSTS.join(headset.endpoint, headset.keys, clock, touches)
    try:
        touches.begin(host, lambda: stylus.T_stylus_tip)
        yield touches
    finally:
        touches.end()
        HOSTS.leave(headset.endpoint)


def _keep(touch: HeadsetTouch, session: KeptSession) -> None:
    if session.stage == "computed":
        raise RegisteringError(
            f"a touch of '{touch.landmark}' at the headset after the registration was computed",
            "touches before that",
            "press u to take the last step back, or n to register anew, and touch again",
        )
    how = {"client": touch.client, "person": touch.person, "stated_in": touch.frame}
    session.touch(touch.landmark, touch.touched, how)
