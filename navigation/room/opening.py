"""Opens rooms for commands: which room was asked for, a session of registration in it, and what a service streams."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from importlib.resources import as_file, files
from pathlib import Path

from geometry import Surface
from geometry.frames import REFERENCE
from navigation.clock import MonotonicClock, PacedClock, VirtualClock
from navigation.devices.driver import CasePatient, Device, ReadSkin
from navigation.devices.hand import Hand, PersonsHand
from navigation.devices.registry import SIMULATED, driver_of, open_device
from navigation.devices.simulated import SimulatedSettings
from navigation.devices.tracker import Tracker
from navigation.errors import RoomError
from navigation.room.read_room import read_room
from navigation.room.room import Room
from navigation.room.room_tracker import RoomTracker, open_room

SHIPPED = (SIMULATED,)


def choose_room(tracker: str | None, path: Path | None, seed: int | None) -> Room:
    """The room that was asked for.

    Args:
        tracker: the short form of a room that ships with the program.
        path: of a room file.
        seed: replaces that of the simulated devices.

    Raises:
        RoomError: both or neither were named, there is no such room, its file has mistakes, or a seed for a room in
            which nothing is simulated.
    """
    if (tracker is None) == (path is None):
        came = "both --room and --tracker" if tracker else "neither --room nor --tracker"
        allowed = f"--room or.toml, or --tracker {SIMULATED} for a rehearsal without a patient"
        raise RoomError(came, allowed, "choose one of the two")
    if tracker is not None and tracker not in SHIPPED:
        raise RoomError(
            f"the tracker {tracker!r}",
            f"one of {list(SHIPPED)}",
            "describe what you have in a room file: --room or.toml",
        )
    room = read_room(path) if path is not None else _shipped(str(tracker))
    return room if seed is None else _with_seed(room, seed)


def open_session(room: Room, stylus: str, read_skin_ct: ReadSkin) -> tuple[RoomTracker, Hand]:
    """The room's reference and this stylus for a session of registration, with whoever holds the stylus.

    Where all of it can be rehearsed, it runs on a clock of its own, so that nobody waits.
    """
    devices = room.only((REFERENCE, stylus)).devices
    rehearsed = all(driver_of(device.driver).rehearse for device in devices)
    hands: list[Hand] = [PersonsHand()]

    def open_one(device: Device, clock: PacedClock) -> Tracker:
        rehearse = driver_of(device.driver).rehearse
        if rehearse is None:
            return open_device(device, clock)
        tracker, hand = rehearse(device, read_skin_ct, clock)
        hands.append(hand)
        return tracker

    tracker = open_room(devices, VirtualClock() if rehearsed else MonotonicClock(), open_one)
    return tracker, hands[-1]


def about_patient(devices: Iterable[Device], patient: CasePatient, start_ns: int) -> tuple[Device, ...]:
    """The devices for a service; simulated tools move about the patient from `start_ns` on."""
    return tuple(
        device if (moved := driver_of(device.driver).about_patient) is None else moved(device, patient, start_ns)
        for device in devices
    )


def begun(room: Room, start_ns: int) -> Room:
    """The room for a command without a case: what plays in several processes has begun at one time in all of them."""
    nobody = CasePatient(Path(), _no_skin)
    devices = (
        device if driver_of(device.driver).rehearse else about_patient([device], nobody, start_ns)[0]
        for device in room.devices
    )
    return replace(room, devices=tuple(devices))


def _no_skin() -> Surface:
    raise RoomError("no case", "a command that has one, such as surgnav serve CASE", "name the case")


def seeds(room: Room) -> str:
    """What tells a simulated room from one with other seeds; empty if nothing is simulated."""
    settings = (device.settings for device in room.devices)
    return ", ".join(f"seed {each.seed}" for each in settings if isinstance(each, SimulatedSettings))


def _shipped(name: str) -> Room:
    with as_file(files("navigation.room.shipped") / f"{name}.toml") as path:
        return read_room(path)


def _with_seed(room: Room, seed: int) -> Room:
    devices = tuple(
        replace(device, settings=device.settings.model_copy(update={"seed": seed}))
        if isinstance(device.settings, SimulatedSettings)
        else device
        for device in room.devices
    )
    if devices == room.devices and not any(isinstance(device.settings, SimulatedSettings) for device in devices):
        raise RoomError(f"--seed {seed} for the room {room.name!r}", "a seed for simulated devices", "leave it away")
    return replace(room, devices=devices)
