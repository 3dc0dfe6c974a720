"""The demo's three pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from navigation.demo.run import DemoResult
from navigation.demo.surgery import Surgery
from navigation.errors import RenderingError
from navigation.pictures import (
    ResidualPictureData,
    ScenePictureData,
    SceneTool,
    residual_picture,
    scene_picture,
    slice_picture,
)

TRE_LIMIT_MM = 1.5


def draw_pictures(result: DemoResult, folder: Path, warn: Callable[[str], None]) -> list[Path]:
    """Writes slices.png, scene.png and residuals.png into `folder`; returns the paths of those that could be drawn.

    Args:
        result: what the demo measured.
        folder: an existing folder.
        warn: called with the reason if the scene cannot be drawn, as on a machine without off-screen rendering.
    """
    surgery = result.surgery
    drawn = [_slices(result, folder / "slices.png")]
    if surgery is None:
        return drawn
    drawn.append(_residuals(result, surgery, folder / "residuals.png"))
    try:
        drawn.insert(0, _scene(result, surgery, folder / "scene.png"))
    except RenderingError as error:
        warn(str(error))
    return drawn


def _slices(result: DemoResult, path: Path) -> Path:
    made = result.reconstruction
    seen = " (seen in training)" if made.segmentation.seen_in_training else ""
    title = f"Suggested by the network{seen}: {result.subject.description}"
    point = next(iter(result.targets_ct.values()))
    segmentation = made.segmentation
    return slice_picture(
        made.scan.volume, segmentation.probabilities, segmentation.uncertainty, path, title=title, point_ct=point
    )


def _scene(result: DemoResult, surgery: Surgery, path: Path) -> Path:
    T_ct_reference = surgery.T_reference_ct.inverse()
    sweep = T_ct_reference.apply(surgery.sweep.points_reference_mm)
    landmarks = {name: T_ct_reference.apply(t.point_reference_mm) for name, t in surgery.touched.items()}
    true = "not known" if result.truth is None else f"{max(result.truth.tre_mm.values()):.2f} mm"
    numbers = [
        ("FRE", f"{surgery.by_landmarks.fre_rms_mm:.2f} mm"),
        ("surface residual", f"{surgery.by_surface.residual_rms_mm:.2f} mm"),
        ("expected TRE, 95 %", f"{surgery.expected.p95_mm.max():.2f} mm"),
        ("true TRE, worst target", true),
    ]
    data = ScenePictureData(
        surfaces=list(result.surfaces_ct.values()),
        tools=[_stylus(surgery)],
        landmarks_ct=landmarks,
        targets_ct=surgery.targets_ct,
        swept_ct=sweep,
        swept_residuals_mm=surgery.by_surface.residuals_mm,
        numbers=numbers,
    )
    return scene_picture(data, path, title=f"Registered: {result.subject.description}")


def _stylus(surgery: Surgery) -> SceneTool:
    """The stylus at the end of the sweep, in ``ct`` by the system's own calibration and registration."""
    T_tip_stylus = surgery.pivot.T_stylus_stylus_tip.inverse()
    T_ct_stylus = surgery.T_reference_ct.inverse() @ surgery.sweep.last_T_reference_tip @ T_tip_stylus
    return SceneTool("stylus", T_ct_stylus, surgery.pivot.tip_stylus_mm)


def _residuals(result: DemoResult, surgery: Surgery, path: Path) -> Path:
    by_landmarks, by_surface = surgery.by_landmarks, surgery.by_surface
    lengths = np.linalg.norm(by_landmarks.residuals_reference_mm, axis=1)
    data = ResidualPictureData(
        stages_rms_mm={
            "pivot": surgery.pivot.residual_rms_mm,
            "landmarks (FRE)": by_landmarks.fre_rms_mm,
            "surface": by_surface.residual_rms_mm,
        },
        landmarks_mm=dict(zip(by_landmarks.names, lengths.tolist(), strict=True)),
        surface_mm=by_surface.residuals_mm,
        expected_tre_mm=dict(zip(surgery.targets_ct, surgery.expected.p95_mm.tolist(), strict=True)),
        true_tre_mm={} if result.truth is None else dict(result.truth.tre_mm),
        latency_ms=result.stream.latency_ms,
        tre_limit_mm=TRE_LIMIT_MM,
    )
    return residual_picture(data, path, title=f"What was left over, expected and true: {result.subject.description}")
