"""The schema of `case.json`: every artefact with its fingerprint, maker and inputs, and every person's decision."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from case.levels import Level

PROGRAM = "surgnav"
DecisionState = Literal["suggested", "approved", "edited", "rejected"]
RegistrationStep = Literal["computed", "verified", "accepted", "returned", "undone", "withdrawn"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def _with_time_zone(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("a time without a time zone")
    return text


def _plain_json(values: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(values, allow_nan=False)
    except TypeError as error:
        raise ValueError(str(error)) from error
    return values


IsoTime = Annotated[str, AfterValidator(_with_time_zone)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_plain_json)]


def is_name(text: str) -> bool:
    """Whether `text` can name a kind, a structure or a file: lower case, digits, ``_`` and ``-``."""
    return _NAME.fullmatch(text) is not None


def stays_inside(path: str) -> bool:
    """Whether a relative path cannot lead out of the folder it is relative to."""
    parts = PurePosixPath(path).parts
    return bool(parts) and parts[0] != "/" and ".." not in parts


@dataclass(frozen=True)
class Signature:
    """Who did something, and when.

    Attributes:
        person: the person's full name.
        time: ISO 8601 with a time zone.
    """

    person: str
    time: str


class Record(BaseModel):
    """What the case keeps as JSON: it does not change, and has no field that this version does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class MadeBy(Record):
    """What made an artefact, and when.

    Attributes:
        program: the program's name, or ``person`` for something made by hand.
        version: the program's version.
        parameters: the settings that affect the result, as JSON values.
        time: ISO 8601 with a time zone.
    """

    program: str
    version: str
    time: IsoTime
    parameters: JsonObject = {}

    @classmethod
    def surgnav(cls, time: str, parameters: Mapping[str, Any] | None = None) -> MadeBy:
        """Made by this program, as it is installed, at `time` (ISO 8601 with a time zone)."""
        return cls(program=PROGRAM, version=version(PROGRAM), time=time, parameters=dict(parameters or {}))


class Input(Record):
    """The id of an artefact that another one was made from, with its fingerprint at that time."""

    id: str
    sha256: Sha256


class Artefact(Record):
    """One file of the case, or the CT that it refers to.

    Attributes:
        id: the relative path; the CT's is always ``ct``.
        kind: ``ct``, ``labels``, ``surface``, ``landmarks``, ``registration``, ...
        path: relative to the case; absolute if `by_reference`.
        sha256: SHA-256 of the file's bytes; if `by_reference`, of the CT's voxels and affine
            (`reconstruction.ct.scan.content_sha256`).
        made_by: program, version, parameters, time.
        made_from: inputs with the fingerprints they had.
        details: facts for the reader, such as volume or verdict, JSON values.
        by_reference: the bytes are not in the case.
    """

    id: str
    kind: str
    path: str
    sha256: Sha256
    made_by: MadeBy
    made_from: tuple[Input, ...] = ()
    details: JsonObject = {}
    by_reference: bool = False

    @model_validator(mode="after")
    def _path_stays_inside(self) -> Artefact:
        if not self.by_reference and not stays_inside(self.path):
            raise ValueError("a path that leads out of the case")
        return self


class Decision(Record):
    """What a named person decided about one structure's surface in one version.

    Attributes:
        looked_at: whether the person said to have looked at pictures of it; None in cases of earlier versions.
        reason: why, in the person's words; empty where none was given.
    """

    structure: str
    state: DecisionState
    person: Annotated[str, Field(min_length=1)]
    time: IsoTime
    surface_sha256: Sha256
    looked_at: bool | None = None
    reason: str = ""


class RegistrationEvent(Record):
    """What happened to one registration; the last one accepted or returned to, and not withdrawn, is in force.

    Attributes:
        registration: its id, such as ``r-0001``.
        step: ``computed``; ``verified`` by a touch; ``accepted``, or ``returned`` to later; ``undone`` at once;
            ``withdrawn``: it was in force, and no longer is.
        level, reasons: the verdict at that moment.
        registration_sha256: SHA-256 of the registration's record.
        details: facts for the reader, JSON values.
    """

    registration: str
    step: RegistrationStep
    person: Annotated[str, Field(min_length=1, pattern=r"\S")]
    time: IsoTime
    level: Level
    reasons: tuple[str, ...] = ()
    registration_sha256: Sha256
    details: JsonObject = {}


class Manifest(Record):
    """The whole of `case.json`; decisions and registration events are kept in order and never removed."""

    schema_name: Literal["surgnav.case"] = "surgnav.case"
    schema_version: Literal[1] = 1
    name: str
    created: IsoTime
    artefacts: tuple[Artefact, ...] = ()
    decisions: tuple[Decision, ...] = ()
    registration_events: tuple[RegistrationEvent, ...] = ()

    def with_artefacts(self, *added: Artefact) -> Manifest:
        """This manifest with artefacts added, each in place of the one with the same id."""
        ids = {artefact.id for artefact in added}
        kept = tuple(artefact for artefact in self.artefacts if artefact.id not in ids)
        return self.model_copy(update={"artefacts": kept + added})

    def with_decision(self, decision: Decision) -> Manifest:
        return self.model_copy(update={"decisions": (*self.decisions, decision)})

    def with_registration_event(self, event: RegistrationEvent) -> Manifest:
        return self.model_copy(update={"registration_events": (*self.registration_events, event)})
