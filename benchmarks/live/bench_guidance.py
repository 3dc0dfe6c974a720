"""What guidance costs the pose process, and one point's signed distance beside Open3D's, in the same run.

    python benchmarks/live/bench_guidance.py

The surface is a vertebra of the phantom. Open3D's scene is asked bare, with the tensor made of the point, as a loop
would have to; it gives a distance and a sign, no direction. The step of guidance is one driver beside one trajectory
with two structures at risk: without the screw, and with it, which comes ten times a second. Processor time, since
others may use the machine.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import open3d as o3d
from scipy.spatial.transform import Rotation

from benchmarks.live.bench_screws import vertebra
from geometry import Transform
from geometry.frames import CT, REFERENCE
from navigation.guidance.guide import Guide, GuideSettings
from navigation.guidance.messages import guidance_message
from navigation.guidance.plan import SurgicalPlan
from registration.distance.point_distance import PointDistance
from unity_bridge.poses.tool_state import ToolState
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.schema import encode

ROUNDS, TIMES = 7, 2000


def microseconds(run: Callable[[], object], times: int = TIMES) -> float:
    """The least of several rounds, per call."""
    best = np.inf
    for _ in range(ROUNDS):
        begun = time.process_time()
        for _ in range(times):
            run()
        best = min(best, (time.process_time() - begun) / times * 1e6)
    return float(best)


def state(tool: str, frame: str, pose: Transform) -> ToolState:
    return ToolState(
        tool=tool, to_frame=REFERENCE, from_frame=frame, validity=Validity.VALID, T_to_from=pose, expected_error_mm=0.5
    )


def main() -> None:
    bone = vertebra(-3, 0.4, np.random.default_rng(1))
    trajectory = bone.plans["left"]
    point = trajectory.entry_ct_mm + [3.0, 5.0, 1.0]
    scene = o3d.t.geometry.RaycastingScene()
    corners = o3d.core.Tensor(bone.surface.vertices_mm.astype(np.float32))
    scene.add_triangles(corners, o3d.core.Tensor(bone.surface.triangles.astype(np.uint32)))
    one, as_tuple = PointDistance(bone.in_ct), tuple(point.tolist())
    rows = {
        "one point, here": microseconds(lambda: one.at(as_tuple)),
        "one point, open3d": microseconds(
            lambda: float(scene.compute_signed_distance(o3d.core.Tensor(point[None].astype(np.float32))).numpy()[0])
        ),
        "one point, grid in arrays": microseconds(lambda: bone.in_ct.distance(point[None]), 300),
    }
    plan = SurgicalPlan((trajectory,), (("canal", bone.in_ct), ("vessel", bone.in_ct)), bone.in_ct)
    # Along -y of ct, into the patient's back: z of the tip's frame.
    T_reference_tip = Transform.from_rotation(
        Rotation.from_euler("x", 90.0, degrees=True), point, REFERENCE, "driver_tip"
    )
    states = [state("driver", "driver_tip", T_reference_tip)]
    states.append(state("patient", CT, Transform(np.eye(4), REFERENCE, CT)))
    without = Guide(SurgicalPlan((trajectory,), plan.at_risk), {"driver": True})
    every = Guide(plan, {"driver": True}, GuideSettings(screw_every_ms=0.0, screw_within_mm=1e6))
    rows["guidance of a tool, as bytes"] = microseconds(lambda: encode(guidance_message(without.guide(states, 0))), 500)
    rows["the same, with the screw"] = microseconds(lambda: encode(guidance_message(every.guide(states, 0))), 200)
    for name, took in rows.items():
        print(f"{name:32s} {took:8.1f} us")
    print(f"open3d over here: {rows['one point, open3d'] / rows['one point, here']:.2f}")


if __name__ == "__main__":
    main()
