"""Golden messages of guidance, for `golden_vectors`."""

from unity_bridge.wire import messages as m
from unity_bridge.wire.envelope import Validity
from unity_bridge.wire.generated.constants import AlertLevel, ScrewGrade


def guidance() -> dict[str, m.Declared]:
    near = m.RiskDistance(structure="spinal_canal", distance_mm=3.25, left_mm=1.75, level=AlertLevel.WARNING)
    inside = m.RiskDistance(structure="aorta", distance_mm=-0.5, left_mm=-2.0, level=AlertLevel.BREACH)
    driver = m.ToolGuidance(
        tool="driver",
        validity=Validity.VALID,
        trajectory="l3_left",
        lateral_mm=0.75,
        depth_mm=-12.5,
        remaining_mm=57.5,
        angle_rad=0.0625,
        entry_lateral_mm=1.25,
        error_mm=1.5,
        risks=(near, inside),
        screw_grade=ScrewGrade.B,
        screw_breach_mm=0.375,
    )
    drill = m.ToolGuidance(tool="drill", validity=Validity.LOST, reason="verdeckt (Gerät)")
    left = m.PlannedTrajectory(
        name="l3_left",
        entry_m=(-0.125, 0.25, 0.0625),
        target_m=(-0.125, 0.25, 0.125),
        screw_diameter_mm=6.5,
        screw_length_mm=45.0,
    )
    way = m.PlannedTrajectory(name="biopsy", entry_m=(0.0, 0.5, 0.0), target_m=(0.0, 0.5, 0.25))
    return {
        "guidance": m.Guidance(tools=(driver, drill)),
        "guidance_plan": m.GuidancePlan(
            trajectories=(left, way), followed="l3_left", at_risk=("spinal_canal", "aorta")
        ),
        "guidance_plan_problem": m.GuidancePlan(problem="the surface 'spinal_canal' is not approved"),
    }
