"""The sweep over bone: frames of ultrasound, each placed in the reference by the pose at the instant that it shows.

It is done in simulated time, so that nobody waits; judging, contours, pairing and placing are those of the live path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geometry.frames import PROBE, REFERENCE
from geometry.points import Floats
from navigation.clock import NS_PER_S, VirtualClock
from navigation.demo.ultrasound.patient import GEOMETRY, TRUE_LAG_MS, ScannedBack
from navigation.devices.ultrasound.source import UltrasoundFrame
from navigation.live.pose_graph import PATIENT, PoseGraph
from navigation.live.pose_mirror import mirrored
from navigation.live.supervisor import Judgement
from navigation.live.timeline.timelines import Timelines
from navigation.simulation.operating_room import open_simulated_tracker
from navigation.ultrasound.finding import BONE, BoneFinder, open_judge
from navigation.ultrasound.live.placed_frame import PlacedFrame
from navigation.ultrasound.live.placing_timeline import PlacingTimeline
from navigation.ultrasound.pipeline import FramePipeline
from navigation.ultrasound.placing import ProbeInForce
from unity_bridge.wire.envelope import Validity

SWEEP_BEGINS_S, SWEEP_S, IMAGES_HZ = 10.0, 24.0, 8.0
_JUDGED = {tool: Judgement(Validity.VALID) for tool in (REFERENCE, PROBE, PATIENT)}
_SETTLED_S = 0.2  # of poses before the first image


@dataclass(frozen=True, eq=False)
class SweptFrame:
    """A frame as the system has it, and the true plane that it shows, ``T_ct_image_px`` ``(4, 4)``."""

    placed: PlacedFrame
    true_ct_image_px: Floats


def sweep(back: ScannedBack, probe: ProbeInForce, progress: Callable[[float], None]) -> list[SweptFrame]:
    """The frames of one sweep there and back, those that have a place.

    Args:
        progress: called with the share that is done.
    """
    begins_s = SWEEP_BEGINS_S
    path = back.path(begins_s, SWEEP_S)
    scan = back.scan(path)
    clock = VirtualClock(round((begins_s - _SETTLED_S) * NS_PER_S))
    tracker = open_simulated_tracker(back.scanned(path), clock)
    tracker.start()
    graph, timelines, timeline = PoseGraph(), Timelines(), PlacingTimeline(probe)
    pipeline = FramePipeline(BoneFinder(), open_judge(BONE))
    lag_s = 1e-3 * TRUE_LAG_MS
    height_mm, width_mm = GEOMETRY.pixel_mm[::-1]
    found: list[SweptFrame] = []
    stamps_ns = round(NS_PER_S * begins_s) + np.arange(0.0, SWEEP_S, 1.0 / IMAGES_HZ) * NS_PER_S
    for sequence, stamp_ns in enumerate(stamps_ns.astype(np.int64).tolist()):
        at_s = stamp_ns / NS_PER_S + lag_s
        frame = UltrasoundFrame(sequence, stamp_ns, scan.image(at_s), stamp_ns, pixel_mm=(height_mm, width_mm))
        result = pipeline.process(frame)
        while clock.now_ns() < stamp_ns:
            seen = tracker.next_frame(NS_PER_S)
            if seen is not None and all(seen.tools[tool].T_tracker_tool is not None for tool in (REFERENCE, PROBE)):
                timelines.note(seen, seen.capture_ns)
                states = graph.states(seen, _JUDGED, timelines)
                timeline.note(mirrored(states, seen.capture_ns, timelines, (PROBE,)))
        placed = timeline.place(result)
        if placed.is_placed:
            found.append(SweptFrame(placed, path.T_ct_image_px(at_s)))
        progress((sequence + 1) / len(stamps_ns))
    return found
