"""``surgnav serve --room``: what a headset may show by its calibration in the rack, from the file to the client."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from geometry import Transform
from navigation.clock import MonotonicClock
from tests.navigation.commands.register.harness import TARGETS, make_case
from tests.navigation.commands.serving import ADDRESSES, PATIENCE_S, serving
from tests.navigation.live.racked import ANCHOR, MADE, racked, room_file
from unity_bridge.client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.client.overlay import Overlay
from unity_bridge.wire.convention import points_from_unity, points_to_unity, pose_from_unity

CLOCK = MonotonicClock()
CLIENT = "HoloLens 2"


def until(client: ReferenceClient, anchor: str, condition: Callable[[Overlay], bool]) -> Overlay:
    """Sends that the headset is there, ten times a second, until its overlay is as it should be."""
    deadline_ns = CLOCK.now_ns() + round(PATIENCE_S * 1e9)
    while True:
        client.control.observe(anchor, CLOCK.now_ns(), ())
        client.poll_until(lambda: False, CLOCK.now_ns() + 100_000_000)
        if condition(client.overlay):
            return client.overlay
        assert CLOCK.now_ns() < deadline_ns, client.overlay


def shown(overlay: Overlay) -> bool:
    return overlay.pose is not None


def test_from_the_rack_to_the_headset_and_until_it_slept(tmp_path: Path) -> None:
    case, room = make_case(tmp_path / "case", TARGETS), room_file(tmp_path, CLIENT)
    with serving(case, "--room", str(room)) as screen:
        poses, surfaces, control = screen.wait_for(ADDRESSES.pattern).groups()
        where = Endpoints(poses=poses, surfaces=surfaces, control=control)
        screen.wait_for("'hololens' shows no overlay: no accepted calibration of 'hololens' in rack")
        with closing(ReferenceClient(where, CLOCK, ClientSettings(name=CLIENT))) as client:
            assert not shown(until(client, ANCHOR, lambda overlay: "no accepted calibration" in overlay.reason))
            T_headset_tracker = racked(tmp_path / "rack")  # calibrated while it is served
            overlay = until(client, ANCHOR, shown)
            check_pose(overlay, T_headset_tracker)
            assert overlay.calibrated.startswith(MADE)
            screen.wait_for("'hololens' shows the overlay, calibrated 2026-11-27")
            client.poll_until(lambda: False, CLOCK.now_ns() + 4_000_000_000)
            assert "has said nothing" in client.overlay.reason
            screen.wait_for("'hololens' shows no overlay: the headset is silent for")
            slept = until(client, ANCHOR, lambda overlay: "may have slept" in overlay.reason)
            assert not shown(slept)
            racked(tmp_path / "rack", made="2026-11-27T12:00:00+00:00", seed=2)
            until(client, ANCHOR, shown)
            client.control.observe("another place", CLOCK.now_ns(), ())
            assert not shown(client.overlay), "the client need not wait for the server to know"
            until(client, "another place", lambda overlay: "calibrate the headset anew" in overlay.reason)
            screen.wait_for("placed its world anew. Fix: calibrate the headset anew: surgnav calibrate headset")


def check_pose(overlay: Overlay, T_headset_tracker: Transform) -> None:
    np.testing.assert_allclose(pose_from_unity(overlay.pose).matrix, T_headset_tracker.matrix, atol=1e-6)
    point_mm = np.array([[30.0, -20.0, 1500.0]])
    placed = points_from_unity(overlay.points(points_to_unity(point_mm)))
    np.testing.assert_allclose(placed, T_headset_tracker.apply(point_mm), atol=1e-6)
