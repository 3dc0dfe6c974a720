"""A pose batch that looks like the last one is checked like the first; a valid tool without a pose is none."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.unity_bridge.poses.harness import HEADER, SINGLE_M, patched, tool
from unity_bridge.errors import MalformedMessageError
from unity_bridge.poses.batch import PoseBatchDecoder
from unity_bridge.poses.encoder import encode_pose_batch
from unity_bridge.wire.generated.constants import HAS_POSE, VALIDITY_CODES, Validity

# In a tool's record, docs/unity_bridge/protocol.md: validity and flags, and the numbers of the pose.
VALIDITY_AT, POSE_AT = 10, 24
QUARTER_TURN = (np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5))


def batch(sequence: int) -> bytes:
    return encode_pose_batch(dataclasses.replace(HEADER, sequence=sequence), [tool()])


@pytest.mark.parametrize(
    "pose",
    [
        (float("nan"), 0.0, 0.0, *QUARTER_TURN),
        (0.0, 0.0, 1e6, *QUARTER_TURN),
        (0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 0.0),
        (0.1, 0.2, 0.3, 0.0, 0.0, 0.0, 1.01),
        (0.1, 0.2, 0.3, 0.0, float("nan"), 0.0, 1.0),
    ],
)
def test_a_broken_pose_is_refused_in_the_second_batch_too(pose: tuple[float, ...]) -> None:
    decoder = PoseBatchDecoder()
    decoder.decode(batch(1))
    with pytest.raises(MalformedMessageError, match="a pose at"):
        decoder.decode(patched(batch(2), POSE_AT, "7f", *pose))
    again = decoder.decode(batch(3)).tools["stylus"]
    np.testing.assert_allclose(again.pose.position_m, [-0.1, -0.3, -0.2], atol=SINGLE_M)


@pytest.mark.parametrize(
    ("validity", "flags", "quaternion"),
    [(Validity.VALID, 0, (0.0, 0.0, 0.0, 0.0)), (Validity.LOST, HAS_POSE, (0.0, 0.0, 0.0, 1.0))],
)
def test_a_valid_tool_without_a_pose_and_a_lost_one_with_one_are_refused(
    validity: Validity, flags: int, quaternion: tuple[float, ...]
) -> None:
    """All else about these records is as it should be: numbers exactly where the flags say that there are some."""
    message = patched(batch(1), VALIDITY_AT, "BB", VALIDITY_CODES[validity], flags)
    message = patched(message, POSE_AT, "7f", 0.0, 0.0, 0.0, *quaternion)
    with pytest.raises(MalformedMessageError, match="a lost tool with a pose, or a valid one without"):
        PoseBatchDecoder().decode(message)
