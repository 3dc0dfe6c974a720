"""docs/protocol.md promises that a stranger can implement from it: its tables must be the program's."""

import dataclasses

import pytest

from unity_bridge import pose_batch, router, schema, surface_payload, surface_server, wire
from unity_bridge.messages import MESSAGES, ReceivedSurface, SurfaceEntry
from unity_bridge.pose_publisher import PublisherSettings

NESTED = (SurfaceEntry, ReceivedSurface)
SIZES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i64": 8, "f32": 4, "f64": 8, "i8": 1, "bytes": 1}


@pytest.fixture(scope="module")
def page(repository) -> str:
    return (repository / "docs" / "protocol.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", [*MESSAGES.values(), *NESTED], ids=lambda kind: kind.__name__)
def test_each_message_has_its_table(page, kind):
    number = {declared: f"{int(message_type)} " for message_type, declared in MESSAGES.items()}.get(kind, "nested: ")
    section = page.split(f"### {number}{kind.__name__}\n")[1].split("\n### ")[0]
    rows = [line for line in section.splitlines() if line.startswith("| ") and "`" in line]
    assert rows == [_row(field) for field in dataclasses.fields(kind)]


def _row(field: dataclasses.Field) -> str:
    kind = field.metadata["kind"]
    name = kind.__name__ if isinstance(kind, type) else kind.name
    must = "required" if field.default is dataclasses.MISSING else "optional"
    how = "repeated" if field.metadata["repeated"] else must
    return f"| {field.metadata['tag']} | `{field.name}` | {name} | {how} |"


@pytest.mark.parametrize(
    ("heading", "size"),
    [
        ("## 2. The header", wire.HEADER_BYTES),
        ("**Tool table**", pose_batch.RECORD_BYTES),
        ("### The surface payload", surface_payload.HEADER_BYTES),
        ("| vertex offset |", surface_payload.VERTEX.itemsize),
    ],
)
def test_byte_tables_have_no_gaps(page, heading, size):
    """Each row begins where the one before it ends, and the last ends where the program's structure does."""
    at = 0
    for line in page.split(heading)[1].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not cells[0].isdigit():
            continue
        assert int(cells[0]) == at, line
        count, unit = [*cells[1].replace(" x ", " ").split(), "1"][:2] if cells[1][0].isdigit() else (1, cells[1])
        at += int(count) * SIZES[unit]
        if at == size:
            return
    pytest.fail(f"the table ends at {at}, not {size}")


def test_limits_are_the_programs(page):
    for text in (
        f"UTF-8, at most {schema.TEXT_LIMIT_BYTES:,} bytes",
        f"at most {schema.REPEAT_LIMIT:,} times",
        f"{pose_batch.MAX_TOOLS} at most",
        f"{pose_batch.MAX_STRINGS:,}\nstrings at most",
        f"holds {PublisherSettings().queued_batches} of them",
        f"{router.RouterSettings().max_clients} clients at a time",
        f"holds {surface_server.SurfaceServerSettings().router.max_queued_replies} answers",
        f"beyond {pose_batch.POSITION_LIMIT_M:,.0f} m",
    ):
        assert text in page, text
