"""Settings of the demo, and what a room file makes of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from navigation.demo.headset_program import Headset
from navigation.devices.simulated import SimulatedSettings
from navigation.errors import RoomError
from navigation.room.room import Room


@dataclass(frozen=True, kw_only=True)
class DemoSettings:
    """Settings of the demo.

    Attributes:
        out: folder for the case, the pictures and the phantom's CT; the case of an earlier demo there is replaced.
        ct: the CT to use instead of the demo's.
        offline: uses the phantom and downloads nothing.
        seed_given: determines the patient's pose, the noise and the errors of the surgeon's hand; None for that of the
            room, or 1. With a room of devices: they see the simulated surgery of this seed, whose truth is known.
        room: the room file's; None for the simulation.
        record: writes the simulated surgery there as a sequence of PLUS, for devices that play it.
        stream_s: duration of the stream.
        headset: which client receives the stream.

    Raises:
        RoomError: a room of which only a part is simulated.
    """

    out: Path
    ct: Path | None = None
    offline: bool = False
    seed_given: int | None = None
    room: Room | None = None
    record: Path | None = None
    stream_s: float = 20.0
    headset: Headset = Headset.PYTHON

    def __post_init__(self) -> None:
        if self.room is not None and self.room.is_simulated and self._simulated is None:
            raise RoomError(
                f"the room {self.room.name!r}, of which only a part is simulated",
                "one simulated device, or none: the demo's patient is before all of them or none",
                "take the simulated device out of the room file",
            )

    @property
    def _simulated(self) -> SimulatedSettings | None:
        if self.room is None or len(self.room.devices) != 1:
            return None
        settings = self.room.devices[0].settings
        return settings if isinstance(settings, SimulatedSettings) else None

    @property
    def seed(self) -> int:
        if self.seed_given is not None:
            return self.seed_given
        return 1 if self._simulated is None else self._simulated.seed

    @property
    def scenario(self) -> Path | None:
        """What goes wrong while the simulated tools are streamed."""
        return None if self._simulated is None else self._simulated.scenario

    @property
    def devices(self) -> Room | None:
        """The room if its devices see the surgery; None where tracker and hand are simulated."""
        return None if self._simulated is not None else self.room

    @property
    def scored(self) -> bool:
        """Whether the truth is known."""
        return self.devices is None or self.seed_given is not None

    @property
    def measured_with(self) -> str:
        return "simulated tracker" if self.room is None else self.room.name
