"""The bytes of wire v1 do not change by accident, and they mean what their JSON says."""

import json

import numpy as np
import pytest

from tests.unity_bridge.wire.golden_vectors import FOLDER, build, meaning
from unity_bridge.surfaces.compression import decompress_surface
from unity_bridge.wire.envelope import MessageType
from unity_bridge.wire.messages import MESSAGES

NAMES = sorted(path.stem for path in FOLDER.glob("*.bin"))


@pytest.mark.parametrize("name", NAMES)
def test_the_encoder_still_makes_these_bytes(name):
    made, golden = build()[name], (FOLDER / f"{name}.bin").read_bytes()
    if name == "surface_compressed":  # another deflate may find other bytes for the same
        made, golden = decompress_surface(made), decompress_surface(golden)
    assert made == golden


@pytest.mark.parametrize("name", NAMES)
def test_the_decoder_still_reads_this_meaning(name):
    expected = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert json.loads(json.dumps(meaning((FOLDER / f"{name}.bin").read_bytes()))) == expected


def test_every_message_type_has_a_golden_vector():
    covered = {json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")).get("type") for name in NAMES} - {None}
    assert covered == {kind.name for kind in [*MESSAGES, MessageType.POSE_BATCH]}
    assert set(NAMES) == set(build())


def test_the_meaning_by_hand():
    """The first tool's pose, so that the JSON itself rests on something: see test_pose_batch.test_a_batch_by_hand."""
    tools = json.loads((FOLDER / "pose_batch.json").read_text(encoding="utf-8"))["tools"]
    np.testing.assert_allclose(tools[0]["pose"]["position_m"], [-0.1, -0.3, -0.2], atol=1e-7)
    np.testing.assert_allclose(tools[0]["pose"]["rotation_xyzw"], [np.sqrt(0.5), 0, 0, np.sqrt(0.5)], atol=1e-7)
    # (0.5, -0.5, 0.5, 0.5) becomes (x, -z, y, w).
    np.testing.assert_allclose(tools[1]["pose"]["rotation_xyzw"], [0.5, -0.5, -0.5, 0.5], atol=1e-7)
    np.testing.assert_allclose(tools[1]["pose"]["position_m"], [0.0125, 1.99975, -0.00025], atol=2e-7)
    assert tools[2]["pose"] is None
    assert tools[3]["pose"] is None
