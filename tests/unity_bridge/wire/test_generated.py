"""wire_schema.toml is the one place where the wire is declared: what follows from it is what is committed."""

import re

import pytest

from scripts.wire.csharp_source import csharp_files
from scripts.wire.files import UNITY_PACKAGE, generated_files, missing_metas
from scripts.wire.protocol_page import with_tables
from scripts.wire.python_source import python_files
from scripts.wire.schema_file import SchemaFileError, load_schema
from scripts.wire.unity_meta import assets, meta_path
from tests.unity_bridge.wire.schema_with_everything import SCHEMA_TEXT, WITH_EVERYTHING


def test_what_is_committed_follows_from_the_schema(repository):
    """Byte for byte, in every language."""
    drifted = [
        str(path)
        for path, text in generated_files(repository).items()
        if not (repository / path).is_file() or (repository / path).read_text("utf-8") != text
    ]
    assert not drifted, "wire_schema.toml says otherwise: run `make wire` and commit what it writes"


def test_nothing_is_left_over_from_an_older_schema(repository):
    written = {repository / path for path in generated_files(repository)}
    folders = {path.parent for path in written if path.parent.name.lower() == "generated"}
    found = {path for folder in folders for path in folder.glob("*.*") if path.suffix in {".py", ".cs"}}
    assert {path.name for path in found - written} == {"__init__.py"}, "delete what is no longer generated"


def test_unity_finds_every_asset(repository):
    """Each asset has its .meta, none is left over, and no two have one GUID."""
    assert not missing_metas(repository), "run `make wire` and commit what it writes"
    package = repository / UNITY_PACKAGE
    metas = set(package.rglob("*.meta"))
    assert metas == {meta_path(asset) for asset in assets(package)}, "delete the .meta of what is gone"
    guids = [re.search(r"^guid: ([0-9a-f]{32})$", meta.read_text("utf-8"), re.MULTILINE)[1] for meta in metas]
    assert len(set(guids)) == len(guids)


def test_a_new_message_is_one_table_in_the_schema(repository):
    schema = load_schema(WITH_EVERYTHING)
    files = python_files(schema)
    lamp = files["generated/control_messages.py"].split("class Lamp:\n")[1]
    assert (
        lamp
        == '''    """A lamp.

    Attributes:
        seen: what it lights.
    """

    colour: Colour = tagged(1, choice(Colour), default=Colour.LIGHT_GREEN)
    position_m: tuple[float, float, float] = tagged(2, floats(3))
    seen: tuple[ReceivedSurface, ...] = tagged(3, ReceivedSurface, repeated=True)
    error_mm: float | None = tagged(4, F64, default=None)
    bulb: Bulb = tagged(5, Bulb)
    spare: Bulb | None = tagged(6, Bulb, default=None)
    colours: tuple[Colour, ...] = tagged(7, choice(Colour), repeated=True)
    rotation_xyzw: tuple[float, float, float, float] | None = tagged(8, floats(4), default=None)
    maker: str = tagged(9, TEXT, default="unknown")
    picture: bytes | None = tagged(10, BLOB, default=None)
    hash: str | None = tagged(11, SHA256, default=None)
    watts: int = tagged(12, U32, default=40)
    waist: float = tagged(13, F64, default=1.5)
    place_m: tuple[float, float, float] | None = tagged(15, POSITION, default=None)
    origin_m: tuple[float, float, float] = tagged(16, POSITION)
    on: bool = tagged(14, FLAG, default=True)
'''
    )
    assert "    MessageType.LAMP: Lamp,\n" in files["generated/messages.py"]
    assert "    LAMP = 63\n" in files["generated/constants.py"]
    for path, text in files.items():
        compile(text, path, "exec")
    page = (repository / "docs" / "unity_bridge" / "protocol.md").read_text(
        "utf-8"
    ) + "<!-- wire_schema: Colour -->\n<!-- end -->\n"
    assert "| 3 | `seen` | ReceivedSurface | repeated | what it lights |\n" in with_tables(page, schema)


def test_a_page_without_the_place_for_a_table_is_refused(repository):
    page = (repository / "docs" / "unity_bridge" / "protocol.md").read_text("utf-8")
    with pytest.raises(SchemaFileError, match="ToolRecordx"):
        with_tables(page.replace("wire_schema: ToolRecord ", "wire_schema: ToolRecordx "), load_schema(SCHEMA_TEXT))


def test_a_slot_that_csharp_cannot_read_is_refused():
    odd = SCHEMA_TEXT.replace('type = "u64", name = "clock"', 'type = "u8[8]", name = "clock"')
    with pytest.raises(SchemaFileError, match=r"'clock' of the type u8\[8\]"):
        csharp_files(load_schema(odd))


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        (
            '{ tag = 2, name = "program", kind = "text" }',
            '{ tag = 1, name = "program", kind = "text" }',
            "tag of Hello 1 twice",
        ),
        ("type = 33\n", "type = 32\n", "message type 32 twice"),
        ("type = 33\n", "type = 20\n", "Welcome of type 20 on socket 'control'"),
        ('name = "ClockReply"', 'name = "Hello"', "name 'Hello' twice"),
        ("offset = 12, type", "offset = 13, type", "'body_bytes' of MessageHeader at offset 13"),
        ('kind = "SurfaceEntry"', 'kind = "SurfaceEntree"', "kind 'SurfaceEntree'"),
        ("valid = 1,", "valid = 0,", "Validity with the codes"),
        ("stale = 2,", "stale = 1,", "code of Validity 1 twice"),
        ('type = "u8", name = "flags"', 'type = "u9", name = "flags"', "type 'u9'"),
        ('_p50_ms", kind = "f64"', '_p50_ms", kind = "f64", default = 0.0', "ClientReport.latency_p50_ms"),
        ('tag = 12, name = "notice"', 'tag = 70000, name = "notice"', "Welcome.notice"),
        ("own_codec = true", "own_codek = true", "own_codek"),
        ("[constants]", "[numbers]", "constants"),
        ("[constants]", "[more]\n[constants]", "more"),
        ("[constants]", "[constants", "cannot be read"),
    ],
)
def test_a_schema_that_contradicts_itself_is_refused(old, new, complaint):
    assert old in SCHEMA_TEXT
    with pytest.raises(SchemaFileError, match=r"(?s)" + complaint.replace("[", r"\[").replace(".", r"\.")):
        load_schema(SCHEMA_TEXT.replace(old, new, 1))
