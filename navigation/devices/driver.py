"""What a driver of a tracking device declares, and what it is opened with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from calibration.result import CalibrationResult
from geometry import Surface, Transform
from geometry.points import Floats
from navigation.clock import PacedClock
from navigation.devices.hand import Hand
from navigation.devices.kept_clock import KeptClock
from navigation.devices.tracker import Tracker
from navigation.devices.ultrasound.source import UltrasoundSource

ReadSkin = Callable[[], Surface]
"""Reads the skin of a case's patient in ``ct``, on which a simulated stylus moves; may raise a SurgNavError."""


@dataclass(frozen=True)
class CasePatient:
    """The patient of a case, about whom simulated tools move.

    Attributes:
        case: the case's folder, whose CT a simulated probe shows.
        read_skin_ct: reads the skin.
    """

    case: Path
    read_skin_ct: ReadSkin


class Settings(BaseModel):
    """Base of the settings in a room file: unknown keys, wrong types and numbers that are not finite are refused.

    The names of lengths, times, rates and angles end in their unit: ``_mm``, ``_ms``, ``_s``, ``_hz``, ``_deg``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ToolFilter(Settings):
    """``[tools.NAME.filter]``: how the published pose of a tool is filtered; without it, it is as it was measured.

    Attributes:
        kind: one_euro is smooth at rest and quick in motion; constant_velocity is smooth and can predict.
        predict_ms: of constant_velocity: how long after its measurement a published pose holds; 0 predicts nothing.
        rest_hz: of one_euro: cutoff at rest.
        per_mm_s: of one_euro: by how much the cutoff of the place grows for each mm/s, in Hz.
        jitter_mm: of constant_velocity: standard deviation of a measured place along each axis.
    """

    kind: Literal["one_euro", "constant_velocity"]
    predict_ms: float = Field(0.0, ge=0.0, le=80.0)
    rest_hz: float = Field(1.5, ge=0.5, le=60.0)
    per_mm_s: float = Field(0.3, ge=0.0, le=10.0)
    jitter_mm: float = Field(0.3, ge=0.01, le=5.0)

    @model_validator(mode="after")
    def _has_its_own_keys_only(self) -> Self:
        others = ("rest_hz", "per_mm_s") if self.kind == "constant_velocity" else ("predict_ms", "jitter_mm")
        for key in others:
            if key in self.model_fields_set:
                raise ValueError(f"no {key} with kind = '{self.kind}'")
        return self


class NoFileError(ValueError):
    """A path in a room file at which no file is; pydantic makes a mistake of the room file of it."""


def _beside_the_room_file(path: Path, info: ValidationInfo) -> Path:
    whole = Path((info.context or {}).get("folder", ".")) / path.expanduser()
    if not whole.is_file():
        what = "a folder" if whole.is_dir() else "not there"
        raise NoFileError(f"the file {whole}, which is {what}")
    return whole


RoomFile = Annotated[Path, AfterValidator(_beside_the_room_file)]
"""A path in a room file: of a file that exists, relative to the folder that the room file is in."""


class Role(StrEnum):
    """What a tool is for."""

    REFERENCE = "reference"
    SECOND_REFERENCE = "second_reference"
    STYLUS = "stylus"
    PROBE = "probe"
    HEADSET = "headset"
    INSTRUMENT = "instrument"


class StampClock(StrEnum):
    """Which clock gives the time of a frame.

    SENSOR: the device stamps its frames by a clock of its own, whose offset from this machine's is estimated.
    ARRIVAL: the device gives no time; a frame is as old as it takes to arrive here, which the room file states.
    """

    SENSOR = "sensor"
    ARRIVAL = "arrival"


@dataclass(frozen=True)
class Stamps:
    """How the frames of one device get their time.

    Attributes:
        clock: which clock; None for a device that is on this program's own clock, such as a simulator.
        latency_ms: from the exposure of a frame to its arrival here: with ARRIVAL the time that is taken off, with
            SENSOR the least time that it can take.
        kept: with SENSOR, what is known of its clock from earlier connections and processes; None begins with nothing.
    """

    clock: StampClock | None
    latency_ms: float = 0.0
    kept: KeptClock | None = field(default=None, compare=False)


@dataclass(frozen=True)
class AssumedNoise:
    """What is assumed of the noise of a device that does not state it.

    Attributes:
        translation_rms_mm: RMS length of the error of a tool's origin.
        rotation_rms_deg: RMS angle of the error of its rotation.
        source: what says so: the device's model and specification, or a measurement.
    """

    translation_rms_mm: float
    rotation_rms_deg: float
    source: str

    def covariance(self) -> Floats:
        """``(6, 6)`` as in `ToolObservation`, the same along every axis."""
        turn, shift = np.deg2rad(self.rotation_rms_deg) ** 2 / 3.0, self.translation_rms_mm**2 / 3.0
        return np.diag([turn, turn, turn, shift, shift, shift])


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool of a room.

    Attributes:
        name: its name everywhere in this program, which is also the name of its frame.
        role: what it is for; the tool with the role ``reference`` is called ``reference``.
        id: its name, port or number at the device; `name` unless the room file says otherwise.
        settings: the driver's own settings of a tool, an instance of `Driver.tool_settings`.
        T_tool_tip: its calibrated tip; None if it has none.
        tip_error_rms_mm: expected RMS error of that tip; None without one.
        tip_covariance_mm2: of that tip's position, ``(3, 3)`` along the tool's axes; None where it was not kept.
        tip_calibrated: when that tip was calibrated, as its file says; None without one.
        divot_mm: of a reference with a divot to check tips in: where that is in its marker's frame; None without one.
        rack_name: what it is called in the rack of calibrations; None if the room file does not say it.
        calibrations: what the rack has in force for it, one of each kind, the newest last; empty if it names none.
        filter: how its published pose is filtered; None for a pose as it was measured.
    """

    name: str
    role: Role
    id: str
    settings: object
    T_tool_tip: Transform | None = None
    tip_error_rms_mm: float | None = None
    tip_covariance_mm2: Floats | None = field(default=None, compare=False)
    tip_calibrated: str | None = None
    divot_mm: tuple[float, float, float] | None = None
    rack_name: str | None = None
    calibrations: tuple[CalibrationResult, ...] = field(default=(), hash=False)
    filter: ToolFilter | None = None


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device of a room, with the tools that it sees; can be sent to another process.

    Attributes:
        name: its name in the room file.
        driver: name of its driver.
        settings: the driver's own settings, an instance of `Driver.settings`.
        T_tracker_device: where it stands in the frame ``tracker`` of the device that sees the reference; None for that
            device itself, and for one that is on the reference.
        noise: what is assumed of its noise, where it does not state that itself; None where nothing is known.
        is_on_reference: its frame ``tracker`` is that of the reference, which it sees by itself.
    """

    name: str
    driver: str
    settings: object
    stamps: Stamps
    tools: tuple[Tool, ...]
    T_tracker_device: Transform | None = None
    noise: AssumedNoise | None = None
    is_on_reference: bool = False

    @property
    def tool_names(self) -> tuple[str, ...]:
        return tuple(tool.name for tool in self.tools)

    def keeping_clock(self, kept: KeptClock) -> Device:
        """The same device, of whose clock `kept` is where each connection begins."""
        return replace(self, stamps=replace(self.stamps, kept=kept))

    def tool_with_id(self, id_at_device: str) -> Tool | None:
        """The tool that the device calls so; None if the room does not use it."""
        return next((tool for tool in self.tools if tool.id == id_at_device), None)


class NoSettings(Settings):
    """Of a driver whose tools, or itself, need nothing to be set."""


@dataclass(frozen=True, kw_only=True)
class Driver:
    """What the program knows of one kind of device.

    Attributes:
        summary: one line for a person who chooses among drivers.
        settings: its own keys in ``[devices.NAME]``, beside those of every device.
        open: makes the tracker, without waiting for the device; imports heavy packages, within `from_extra`.
        tool_settings: its own keys in ``[tools.NAME]``, beside those of every tool.
        clocks: which clocks the room file may choose from, the usual one first; empty for a device that is on this
            program's own clock.
        extra: the extra that it needs; None if the base has all.
        is_simulated: what it measures is not real, and commands say so.
        check: finds what is wrong with the settings and tools together, before anything is opened: sentences.
        on_reference: whether a device gives its poses relative to the reference, which it sees by itself; such a device
            needs no place beside the one that leads.
        needs_tools: whether a device must see a tool of the room; a headset may only show it.
        rehearse: of a simulator: opens it with whoever holds its stylus, about the patient of a case.
        images: opens the ultrasound that the device gives beside poses, without waiting for it; it comes on the same
            clock as the poses. None for one that gives none.
        rehearse_probe: of a simulator about a patient: calibrates its probe there and then; the results, made at a
            time in ISO 8601. Empty where its probe is calibrated as any other.
        about_patient: the same device for a service that begins at a time in ns: of a simulator about that patient, of
            a recording from that time on. None for any other.
    """

    summary: str
    settings: type[Settings]
    open: Callable[[Device, PacedClock], Tracker]
    tool_settings: type[Settings] = NoSettings
    clocks: tuple[StampClock, ...] = (StampClock.SENSOR, StampClock.ARRIVAL)
    extra: str | None = None
    is_simulated: bool = False
    check: Callable[[Device], list[str]] = lambda device: []
    on_reference: Callable[[Device], bool] = lambda device: False
    images: Callable[[Device, PacedClock], UltrasoundSource | None] = lambda device, clock: None
    needs_tools: bool = True
    rehearse: Callable[[Device, ReadSkin, PacedClock], tuple[Tracker, Hand]] | None = None
    rehearse_probe: Callable[[Device, str], tuple[CalibrationResult, ...]] = lambda device, time: ()
    about_patient: Callable[[Device, CasePatient, int], Device] | None = None
