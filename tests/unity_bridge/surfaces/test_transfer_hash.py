"""A surface that has come is the one that the manifest names, or none: whatever lies between the two ends."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Surface
from unity_bridge.client.surfaces.level_plan import Form, Item
from unity_bridge.client.surfaces.transfer import Transfer
from unity_bridge.errors import MalformedMessageError
from unity_bridge.surfaces.levels import EncodedLevel, encode_level, levels_of, make_entry
from unity_bridge.wire.messages import SurfaceChunk

CORNERS = np.array([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0], [0.0, 80.0, 0.0], [0.0, 0.0, 60.0]])
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
LEVEL: EncodedLevel = encode_level(Surface(CORNERS, FACES, "ct", "liver"))
ENTRY = make_entry([LEVEL], "approved", "Dr. A. Example")


def pulled(form: Form, content: bytes, piece: int = 50):
    """What a client holds once all chunks have come."""
    item = Item(ENTRY, levels_of(ENTRY)[0], 0, form)
    transfer = Transfer(item)
    for offset in range(0, len(content), piece):
        data = content[offset : offset + piece]
        transfer.asked(len(data), 1)
        transfer.add(SurfaceChunk(sha256=item.sha256, offset=offset, total_bytes=len(content), data=data))
    assert transfer.is_whole
    return transfer.finish(2)


@pytest.mark.parametrize(("form", "content"), [(Form.RAW, LEVEL.payload.data), (Form.GLB, LEVEL.glb)])
def test_one_bit_that_was_changed_on_the_way_is_found(form: Form, content: bytes) -> None:
    assert pulled(form, content).received == content
    for at in (0, len(content) // 2, len(content) - 1):
        changed = bytearray(content)
        changed[at] ^= 1
        with pytest.raises(MalformedMessageError, match="with hash"):
            pulled(form, bytes(changed))
