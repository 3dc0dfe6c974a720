"""The schema, and beside what the wire has today one message with every kind of field there is."""

from scripts.wire.schema_file import SCHEMA_FILE

SCHEMA_TEXT = SCHEMA_FILE.read_text("utf-8")
WITH_EVERYTHING = (
    SCHEMA_TEXT
    + """
[[enum]]
name = "Colour"
doc = "Of a light."
values = { red = 1, light_green = 2 }

[[nested]]
name = "Bulb"
socket = "control"
doc = "Gives light."
fields = [{ tag = 1, name = "colour", kind = "Colour" }]

[[message]]
name = "Lamp"
type = 63
socket = "control"
doc = "A lamp."
fields = [
    { tag = 1, name = "colour", kind = "Colour", default = "light_green" },
    { tag = 2, name = "position_m", kind = "f64[3]" },
    { tag = 3, name = "seen", kind = "ReceivedSurface", repeated = true, doc = "what it lights" },
    { tag = 4, name = "error_mm", kind = "f64", optional = true },
    { tag = 5, name = "bulb", kind = "Bulb" },
    { tag = 6, name = "spare", kind = "Bulb", optional = true },
    { tag = 7, name = "colours", kind = "Colour", repeated = true },
    { tag = 8, name = "rotation_xyzw", kind = "f64[4]", optional = true },
    { tag = 9, name = "maker", kind = "text", default = "unknown" },
    { tag = 10, name = "picture", kind = "blob", optional = true },
    { tag = 11, name = "hash", kind = "sha256", optional = true },
    { tag = 12, name = "watts", kind = "u32", default = 40 },
    { tag = 13, name = "waist", kind = "f64", default = 1.5 },
    { tag = 15, name = "place_m", kind = "position", optional = true },
    { tag = 16, name = "origin_m", kind = "position" },
    { tag = 14, name = "on", kind = "flag", default = true },
]
"""
)
