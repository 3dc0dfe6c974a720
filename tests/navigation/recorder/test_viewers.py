"""Foxglove's own reader finds in a recording what a viewer draws: frames, surfaces and the log, in metres."""

from collections import defaultdict
from typing import Any

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory
from scipy.spatial.transform import Rotation

from geometry.frames import CT, REFERENCE, TRACKER
from tests.navigation.live.served_room import TETRAHEDRON
from tests.navigation.recorder.recorded_room import Recorded
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.wire.convention import pose_from_unity
from unity_bridge.wire.envelope import Validity


@pytest.fixture(scope="module")
def drawn(recorded: Recorded) -> dict[str, list[Any]]:
    """Topic -> messages, decoded by the schemas in the file."""
    found = defaultdict(list)
    with recorded.path.open("rb") as stream:
        reader = make_reader(stream, decoder_factories=[DecoderFactory()])
        for _, channel, _, message in reader.iter_decoded_messages(topics=["/transforms", "/scene", "/log"]):
            found[channel.topic].append(message)
    return found


def test_each_tick_is_one_message_with_every_valid_pose(recorded: Recorded, drawn: dict[str, list[Any]]):
    decoder, ticks = PoseBatchDecoder(), drawn["/transforms"][-len(recorded.received) :]
    assert len(ticks) == len(recorded.received)
    for message, tick in zip(recorded.received, ticks, strict=True):
        batch = decoder.decode(message)
        valid = [tool for tool in batch.tools.values() if tool.validity is Validity.VALID]
        assert [(each.parent_frame_id, each.child_frame_id) for each in tick.transforms] == [
            (tool.to_frame, tool.from_frame) for tool in valid
        ]
        for tool, each in zip(valid, tick.transforms, strict=True):
            assert tool.pose is not None
            pose = pose_from_unity(tool.pose)
            moved, turned = each.translation, each.rotation
            # Both come from the same numbers of the wire; in mm and as a matrix they agree to rounding.
            np.testing.assert_allclose([moved.x * 1e3, moved.y * 1e3, moved.z * 1e3], pose.translation_mm, atol=1e-9)
            matrix = Rotation.from_quat([turned.x, turned.y, turned.z, turned.w]).as_matrix()
            np.testing.assert_allclose(matrix, pose.rotation_matrix, atol=1e-6)
    assert {(each.parent_frame_id, each.child_frame_id) for tick in ticks for each in tick.transforms} >= {
        (TRACKER, REFERENCE),
        (REFERENCE, CT),
        (REFERENCE, "stylus_tip"),
    }


def test_a_surface_is_in_the_scene_once_where_it_is_in_the_patient(drawn: dict[str, list[Any]]):
    (update,) = drawn["/scene"]
    (entity,) = update.entities
    assert (entity.id, entity.frame_id) == ("tetrahedron", CT)
    (triangles,) = entity.triangles
    corners = 1e3 * np.array([(point.x, point.y, point.z) for point in triangles.points])[list(triangles.indices)]
    # The wire holds positions in steps of 1/65,535 of the edge of 80 mm.
    expected = TETRAHEDRON.vertices_mm[TETRAHEDRON.triangles]
    found = {tuple(sorted(map(tuple, np.round(each, 1)))) for each in corners.reshape(-1, 3, 3)}
    assert found == {tuple(sorted(map(tuple, np.round(each, 1)))) for each in expected}


def test_the_log_warns_of_what_was_withdrawn(drawn: dict[str, list[Any]]):
    levels = {message.message.split(":")[0]: message.level for message in drawn["/log"]}
    assert levels["surface_approved"] < levels["registration_withdrawn"]
