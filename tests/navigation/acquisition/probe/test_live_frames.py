"""Images of a running room: each with the poses at its own time, and the poses between them as frames of their own."""

from __future__ import annotations

import numpy as np
import pytest

from geometry import Transform
from navigation.acquisition.probe.bottom import BottomCollecting
from navigation.acquisition.probe.frames import CollectedFrames, ProbeMarkers
from navigation.acquisition.probe.live import LiveFrames
from navigation.clock import VirtualClock
from navigation.devices.tracker import CONNECTED, ToolObservation, TrackerFrame, Visibility
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.errors import AcquisitionError

MS = 1_000_000
PIXELS = np.zeros((4, 6), np.uint8)


class Lab:
    """A tracker at 50 Hz whose probe moves by 1 mm a frame, and images that come `late_ms` after they were taken.

    The probe is hidden from `hidden_ms` on for a while.
    """

    tools, rate_hz, state, name = ("probe", "reference"), 50.0, CONNECTED, "lab"

    def __init__(self, image_ms: list[int], hidden_ms: range = range(0), late_ms: int = 130) -> None:
        self.clock = VirtualClock()
        self.image_ms, self.hidden_ms, self.late_ms = image_ms, hidden_ms, late_ms
        self.given = 0

    @property
    def ended(self) -> str:
        return "" if self.given < len(self.image_ms) else "the images have ended"

    def next_frame(self, timeout_ns: int) -> TrackerFrame | UltrasoundFrame | None:
        return self._tracker_frame() if timeout_ns else self._image()

    def _tracker_frame(self) -> TrackerFrame:
        self.clock.advance_ns(20 * MS)
        now_ms = self.clock.now_ns() // MS
        pose = np.eye(4)
        pose[0, 3] = 1.0 * now_ms / 20
        tools = {"reference": ToolObservation(Visibility.VISIBLE, Transform(np.eye(4), "tracker", "reference"))}
        seen = ToolObservation(Visibility.VISIBLE, Transform(pose, "tracker", "probe"))
        tools["probe"] = ToolObservation(Visibility.OCCLUDED) if now_ms in self.hidden_ms else seen
        return TrackerFrame(now_ms // 20, self.clock.now_ns(), tools)

    def _image(self) -> UltrasoundFrame | None:
        if self.given < len(self.image_ms) and self.clock.now_ns() // MS >= self.image_ms[self.given] + self.late_ms:
            self.given += 1
            return UltrasoundFrame(self.given - 1, self.image_ms[self.given - 1] * MS, PIXELS)
        return None

    def start(self) -> None: ...
    def stop(self) -> None: ...


def collected(lab: Lab) -> tuple[LiveFrames, CollectedFrames[int]]:
    live = LiveFrames(lab, lab, {"probe": "probe_7", "reference": "reference"})  # type: ignore[arg-type]
    frames = CollectedFrames(ProbeMarkers("probe_7", "reference"), lambda frame: frame.sequence)
    while not live.is_over:
        frame = live.next()
        if frame is not None:
            frames.add(frame)
    return live, frames


def test_an_image_gets_the_pose_of_its_own_time_and_the_name_of_the_rack():
    _, frames = collected(Lab([205, 310, 415]))
    placed = frames.placed()
    assert [each.found for each in placed] == [0, 1, 2]
    assert [each.poses["probe_7"].translation_mm[0] for each in placed] == pytest.approx([10.25, 15.5, 20.75])
    assert placed[0].poses["probe_7"].to_frame == "reference"
    times_s = [each.time_s for each in frames.frames]
    assert times_s == sorted(set(times_s))
    # 50 poses a second, with or without images.
    assert len(frames.motion().time_s) >= 25


def test_a_lag_moves_the_pose_and_not_the_image():
    _, frames = collected(Lab([205, 310, 415]))
    placed = frames.placed(0.04)
    assert [each.time_s for each in placed] == pytest.approx([0.205, 0.310, 0.415])
    assert [each.poses["probe_7"].translation_mm[0] for each in placed] == pytest.approx([12.25, 17.5, 22.75])


@pytest.mark.parametrize("late_ms", [130, 600])
def test_no_pose_is_made_up_where_the_probe_was_hidden_however_late_the_image_comes(late_ms: int):
    _, frames = collected(Lab([310, 505, 905], range(400, 800), late_ms))
    assert [each.found for each in frames.placed()] == [0, 2]
    assert frames.said == "2 images with the target; 0 without it, 1 without a pose"


def test_images_that_stay_away_are_an_error_with_what_to_do():
    lab = Lab([205, 60_000])
    with pytest.raises(AcquisitionError, match="no image of lab for 10 s"):
        collected(lab)


def test_u_takes_back_two_seconds_of_images_and_poses():
    _, frames = collected(Lab(list(range(200, 6200, 100))))
    before = frames.frames[-1].time_s
    frames.undo()
    assert before - 2.1 < frames.frames[-1].time_s <= before - 2.0
    assert BottomCollecting(frames.markers).advice().coverage == 0.0
