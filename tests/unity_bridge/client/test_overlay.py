"""Where a client may show the tracker's world: as the server says, where and for as long as that holds."""

from dataclasses import replace

import numpy as np
import pytest

from unity_bridge.client.overlay import OverlayLink
from unity_bridge.errors import InvalidPoseError
from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.messages import HeadsetAlignment

NOW_NS = 5_000_000_000
# Unity's turn by 90 degrees about its y axis: its z goes to x.
ANSWER = HeadsetAlignment(
    validity=Validity.VALID,
    anchor="room-1",
    position_m=(1.0, 2.0, 3.0),
    rotation_xyzw=(0.0, 0.5**0.5, 0.0, 0.5**0.5),
    expected_p95_mm=2.5,
    calibrated="today",
)


@pytest.fixture
def link() -> OverlayLink:
    link = OverlayLink()
    link.observed("room-1")
    link.take(ANSWER, NOW_NS)
    return link


def test_a_point_of_the_tracker_is_shown_where_it_is_by_hand(link):
    overlay = link.at(NOW_NS)
    np.testing.assert_allclose(overlay.points(np.array([[0.0, 0.0, 0.5]])), [[1.5, 2.0, 3.0]])
    assert (overlay.reason, overlay.expected_p95_mm, overlay.calibrated) == ("", 2.5, "today")


def test_before_the_server_has_said_so_nothing_is_shown():
    overlay = OverlayLink().at(NOW_NS)
    assert overlay.points(np.zeros((1, 3))) is None
    assert "has not said" in overlay.reason


def test_as_soon_as_the_world_is_elsewhere_nothing_is_shown(link):
    link.observed("room-2")
    assert "placed its world anew" in link.at(NOW_NS).reason
    assert link.at(NOW_NS).pose is None


def test_an_answer_is_not_shown_for_ever(link):
    assert link.at(NOW_NS + 2_000_000_000).pose is not None
    assert "for 2.1 s" in link.at(NOW_NS + 2_100_000_000).reason


def test_the_servers_reason_is_said(link):
    link.take(HeadsetAlignment(validity=Validity.LOST, reason="it slept"), NOW_NS)
    assert (link.at(NOW_NS).pose, link.at(NOW_NS).reason) == (None, "it slept")


@pytest.mark.parametrize("changes", [{"position_m": None}, {"rotation_xyzw": None}, {"rotation_xyzw": (0.0,) * 4}])
def test_what_is_no_pose_ends_the_one_before(link, changes):
    with pytest.raises(InvalidPoseError):
        link.take(replace(ANSWER, **changes), NOW_NS)
    assert link.at(NOW_NS).pose is None
