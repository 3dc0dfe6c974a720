"""docs/protocol.md promises that a stranger can implement from it: its numbers must be the program's.

Its tables are generated, and test_generated.py sees to them; here is what stands in its sentences.
"""

import re

import pytest

from unity_bridge import pose_batch, router, schema, surface_payload, surface_server, wire
from unity_bridge.generated import constants
from unity_bridge.pose_publisher import PublisherSettings


@pytest.fixture(scope="module")
def page(repository) -> str:
    return (repository / "docs" / "protocol.md").read_text(encoding="utf-8")


def test_limits_are_the_programs(page):
    for text in (
        f"The header: {wire.HEADER_BYTES} bytes",
        f"u16 bytes per record ({pose_batch.RECORD_BYTES} or more)",
        f"vertices of {surface_payload.VERTEX.itemsize} bytes",
        f"UTF-8, at most {schema.TEXT_LIMIT_BYTES:,} bytes",
        f"at most {schema.REPEAT_LIMIT:,} times",
        f"{constants.MAX_TOOLS} at most",
        f"{constants.MAX_STRINGS:,} strings at most",
        f"holds {PublisherSettings().queued_batches} of them",
        f"{router.RouterSettings().max_clients} clients at a time",
        f"holds {surface_server.SurfaceServerSettings().router.max_queued_replies} answers",
        f"beyond {constants.POSITION_LIMIT_M:,.0f} m",
    ):
        assert text in re.sub(r"\s+", " ", page), text
