"""What a recording holds: the topics' forms. Foxglove's schemas where it has one, else our own, said in the file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from geometry.extras import from_extra
from navigation.devices.replay.mcap_file import MESSAGE_ENCODING, SCHEMA_ENCODING, SCHEMA_NAME, frame_schema
from navigation.devices.ultrasound import mcap


@dataclass(frozen=True)
class Form:
    """How the messages of a topic are encoded, and the schema that says so."""

    schema: str
    schema_encoding: str
    schema_data: bytes
    message_encoding: str


WIRE_SCHEMA, FORM_SCHEMA, NOTE_SCHEMA = "surgnav.WireMessage.v1", "surgnav.SurfaceForm.v1", "surgnav.Note.v1"
TRANSFORMS, SCENE, LOG, RECORDER = "/transforms", "/scene", "/log", "/recorder"


@cache
def wire_form() -> Form:
    """Messages as they went through a socket; the schema is the wire's own file."""
    text = files("unity_bridge.wire").joinpath("wire_schema.toml").read_bytes()
    return Form(WIRE_SCHEMA, "toml", text, "surgnav.wire")


@cache
def surface_form() -> Form:
    """One form of a level as clients pull it, addressed by its SHA-256: payload, compressed payload, or GLB."""
    return Form(FORM_SCHEMA, "toml", wire_form().schema_data, "surgnav.surface")


@cache
def note_form() -> Form:
    """Settings, events, and what the recorder says of itself."""
    return Form(NOTE_SCHEMA, SCHEMA_ENCODING, b'{"title": "surgnav.Note.v1", "type": "object"}', MESSAGE_ENCODING)


@cache
def frame_form() -> Form:
    """Frames of a device, which the driver ``replay`` reads."""
    return Form(SCHEMA_NAME, SCHEMA_ENCODING, frame_schema(), MESSAGE_ENCODING)


@cache
def ultrasound_form() -> Form:
    """Ultrasound frames without their pixels, which `navigation.devices.ultrasound.mcap` reads."""
    return Form(mcap.SCHEMA_NAME, SCHEMA_ENCODING, mcap.note_schema(), MESSAGE_ENCODING)


@cache
def foxglove_form(name: str) -> Form:
    """A schema of Foxglove's, such as ``FrameTransforms``."""
    with from_extra("navigation"):
        from foxglove import messages
    schema = getattr(messages, name).get_schema()
    return Form(schema.name, schema.encoding, schema.data, "protobuf")
