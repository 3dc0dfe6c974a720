"""Scripted scenarios: what goes wrong in the simulated room, when, and what then is true.

A scenario is a TOML file. Its times are in s from the beginning of the motion that is watched. What happens in the room
(such as `bumped_reference`) changes the true poses; what the device does (such as `late_frames`) changes what it says
of them. Both are known to whoever scores, and to nobody else.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field, model_validator

from navigation.devices.driver import Settings
from navigation.devices.mistakes import Mistakes
from navigation.errors import DeviceError

Three = tuple[float, float, float]


class Event(Settings):
    """Something that begins at a time, and may end.

    Attributes:
        from_s: when it begins.
        to_s: when it ends; None for what lasts.
    """

    must_be_noticed: ClassVar[str] = ""
    from_s: float = Field(0.0, ge=0.0)
    to_s: float | None = Field(None, gt=0.0)

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.to_s is not None and self.to_s <= self.from_s:
            raise ValueError("to_s after from_s")
        return self

    def is_on(self, t_s: float) -> bool:
        return self.from_s <= t_s and (self.to_s is None or t_s < self.to_s)


class Occlusion(Event):
    """Somebody stands between the camera and a tool."""

    must_be_noticed: ClassVar[str] = "the tool is lost"
    tool: str


class Latency(Event):
    """Frames take longer from the sensor to the program; their stamps stay honest."""

    must_be_noticed: ClassVar[str] = "poses are stale, or lost, once they are older than the limit"
    latency_ms: float = Field(gt=0.0, le=10_000.0)


class DroppedFrames(Event):
    """A share of the frames never comes."""

    must_be_noticed: ClassVar[str] = "lost frames are counted; what is shown stays within the age limit"
    share: float = Field(gt=0.0, le=1.0)


class LateFrames(Event):
    """A share of the frames comes after newer ones."""

    must_be_noticed: ClassVar[str] = "a frame that is older than the one before is refused"
    share: float = Field(gt=0.0, le=1.0)
    late_ms: float = Field(gt=0.0, le=10_000.0)


class Breathing(Event):
    """The patient's body, but not the reference beside it, rises and falls.

    Attributes:
        amplitude_mm: from full expiration to full inspiration.
        period_s: of a breath.
        direction_ct: unit vector along which the body rises; towards the front in LPS.
    """

    must_be_noticed: ClassVar[str] = "the body moves under its surfaces"
    amplitude_mm: float = Field(gt=0.0, le=100.0)
    period_s: float = Field(4.0, gt=0.5, le=60.0)
    direction_ct: Three = (0.0, -1.0, 0.0)


class BumpedReference(Event):
    """Somebody moves the reference marker on the patient, in its own axes, in an instant."""

    must_be_noticed: ClassVar[str] = "the registration no longer holds"
    translation_mm: Three = (0.0, 0.0, 0.0)
    rotation_deg: Three = (0.0, 0.0, 0.0)


class SwappedTools(Event):
    """The device takes two tools for one another."""

    must_be_noticed: ClassVar[str] = "neither tool is where it is shown"
    tools: tuple[str, str]


class BentStylus(Event):
    """The tip of the stylus is bent away from where it was, in the axes of its marker."""

    must_be_noticed: ClassVar[str] = "the tip is not where it is shown"
    tip_mm: Three


class MovedCamera(Event):
    """The camera is moved to another place, in its own axes; tools stay where they are, and so do their relations."""

    translation_mm: Three = (0.0, 0.0, 0.0)
    rotation_deg: Three = (0.0, 0.0, 0.0)


class ClockJump(Event):
    """The device's stamps jump; forward if positive."""

    must_be_noticed: ClassVar[str] = "no pose has an age that is known"
    jump_ms: float = Field(ge=-1e6, le=1e6)


class Scenario(Settings):
    """All events of a scenario, by their kind.

    Attributes:
        name: what it shows, in words.
    """

    name: str
    occlusion: tuple[Occlusion, ...] = ()
    latency: tuple[Latency, ...] = ()
    dropped_frames: tuple[DroppedFrames, ...] = ()
    late_frames: tuple[LateFrames, ...] = ()
    breathing: tuple[Breathing, ...] = ()
    bumped_reference: tuple[BumpedReference, ...] = ()
    swapped_tools: tuple[SwappedTools, ...] = ()
    bent_stylus: tuple[BentStylus, ...] = ()
    moved_camera: tuple[MovedCamera, ...] = ()
    clock_jump: tuple[ClockJump, ...] = ()

    def events(self) -> Iterator[tuple[str, Event]]:
        """Each with its kind, as it is called in the file."""
        for kind in KINDS:
            for event in getattr(self, kind):
                yield kind, event

    def tools(self) -> set[str]:
        """The tools that it names."""
        return {event.tool for event in self.occlusion} | {name for each in self.swapped_tools for name in each.tools}


KINDS = tuple(name for name in Scenario.model_fields if name != "name")


class ScenarioError(DeviceError):
    """A scenario with mistakes; `mistakes` has a sentence for each, as for a room file."""

    def __init__(self, name: str, mistakes: list[str]) -> None:
        self.mistakes = tuple(mistakes)
        count = f"{len(mistakes)} mistake{'' if len(mistakes) == 1 else 's'}"
        came = "\n".join([f"{name} with {count}:", *(f"  {sentence}" for sentence in mistakes)])
        super().__init__(came, "a scenario without mistakes", "correct each of them as it says")


def read_scenario(path: Path) -> Scenario:
    """Reads a scenario.

    Raises:
        ScenarioError: it cannot be read, or holds mistakes; all of them are listed.
    """
    mistakes = Mistakes(path.parent)
    where = f"[{path.name}]"
    scenario = None
    try:
        content = path.read_bytes()
        table = tomllib.loads(content.decode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        mistakes.add(where, f"what is not TOML: {error}", "TOML 1.0 in UTF-8", "correct what is named")
    else:
        mistakes.unknown_keys(where, table, tuple(Scenario.model_fields))
        known = {key: value for key, value in table.items() if key in Scenario.model_fields}
        scenario = mistakes.validated(Scenario, known, where)
    if mistakes.sentences or scenario is None:
        raise ScenarioError(path.name, mistakes.sentences)
    return scenario
