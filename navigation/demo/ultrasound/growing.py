"""The surface of the sweep that grows at the headset of the ultrasound demo, against the bone that beams truly met."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial import cKDTree

from geometry import Surface, Transform
from geometry.frames import CT
from geometry.points import Floats
from navigation.clock import NS_PER_S
from navigation.demo.ultrasound.contours import true_bone_ct
from navigation.pictures.canvas import Canvas
from navigation.pictures.colours import FAINT_INK, INK, PAPER
from navigation.pictures.figures import empty_figure
from navigation.room.room_file import SweepKeys
from navigation.simulation.ultrasound.patient_scan import PatientScan

# The echo of bone; what lies before it in the demo's images stays below.
SWEEP_KEYS = SweepKeys(level=165, spacing_mm=1.0, every_s=1.0)
_COVERED_MM = 3.0
_LOOKS_A_PERIOD = 80
_PANEL_PX = (560, 760)
_VIEW_CT = (0.35, 0.85, 0.4)
_SWEPT, _TRUE, _CT_BONE = "#e8a33d", "#2f6fb0", "#c9b79c"


@dataclass(frozen=True, eq=False)
class SeenSurface:
    """A surface as the headset decoded it.

    Attributes:
        arrived_ns: when, on the clock of this machine.
        approval: as the server said.
        surface: right-handed, in mm, in the frame that it hangs from.
    """

    arrived_ns: int
    approval: str
    surface: Surface


@dataclass(frozen=True, kw_only=True, eq=False)
class GrownSurface:
    """What the headset was shown of the sweep.

    Attributes:
        since_s: when each surface arrived, from the beginning of the sweep.
        surfaces_ct: each, by the registration that came into force at last.
        true_bone_ct: the bone that beams met on the way, ``(n, 3)``.
        approvals: all that was said of it.
    """

    since_s: Floats
    surfaces_ct: tuple[Surface, ...]
    true_bone_ct: Floats
    approvals: tuple[str, ...]

    @classmethod
    def of(
        cls, seen: Sequence[SeenSurface], begun_ns: int, T_ct_reference: Transform, scan: PatientScan
    ) -> GrownSurface:
        """Against the truth of the path that was scanned.

        Args:
            seen: in the order of their arrival.
            begun_ns: when the sweep began.
            T_ct_reference: of the registration.
            scan: what the probe truly saw.
        """
        begins_s, period_s = scan.path.begins_s, scan.path.period_s
        times_s = begins_s + np.linspace(0.0, period_s, _LOOKS_A_PERIOD)
        return cls(
            since_s=np.array([(each.arrived_ns - begun_ns) / NS_PER_S for each in seen]),
            surfaces_ct=tuple(each.surface.transformed(T_ct_reference) for each in seen),
            true_bone_ct=np.concatenate([true_bone_ct(scan, t_s) for t_s in times_s]),
            approvals=tuple(sorted({each.approval for each in seen})),
        )

    def covered(self, surface_ct: Surface) -> float:
        """Share of the true bone that lies within 3 mm of a surface."""
        found = cKDTree(surface_ct.vertices_mm).query(self.true_bone_ct)[0]
        return float(np.mean(found < _COVERED_MM))

    def off_mm(self, surface_ct: Surface) -> float:
        """Median distance of the covered true bone from a surface; NaN where none is covered."""
        found = cKDTree(surface_ct.vertices_mm).query(self.true_bone_ct)[0]
        near = found[found < _COVERED_MM]
        return float(np.median(near)) if len(near) else float("nan")


def growing_picture(grown: GrownSurface, bone_ct: Surface, path: Path) -> Path:
    """Writes the surface at three moments, and the true bone beside them, all from one side.

    Args:
        bone_ct: of the CT, about the sweep.

    Raises:
        RenderingError: this machine cannot draw off screen.
    """
    count = len(grown.surfaces_ct)
    chosen = sorted({0, count // 2, count - 1})
    panels = [
        (
            f"{grown.since_s[number]:.0f} s: {grown.covered(grown.surfaces_ct[number]):.0%} of the bone",
            _drawn(bone_ct, grown.surfaces_ct[number]),
        )
        for number in chosen
    ]
    panels.append(("truth: the bone that beams met", _drawn(bone_ct, None, grown.true_bone_ct)))
    width, height = 2.8 * len(panels), 2.8 * _PANEL_PX[1] / _PANEL_PX[0] + 0.9
    figure = empty_figure(width, height, PAPER)
    for place, (title, picture) in enumerate(panels):
        axes = figure.add_axes((place / len(panels), 0.0, 1.0 / len(panels) - 0.004, (height - 0.9) / height))
        axes.imshow(picture, interpolation="antialiased")
        axes.set_axis_off()
        axes.set_title(title, size=10, color=INK)
    title = "A sweep of live ultrasound at the headset: not approved, as measured"
    figure.text(0.012, 1.0 - 0.25 / height, title, size=14, weight="bold", color=INK, va="center")
    words = "orange: its surface; blue: true bone; glass: bone of the CT, by the renewed registration"
    figure.text(0.012, 1.0 - 0.5 / height, words, size=10, color=FAINT_INK, va="center")
    figure.savefig(path, facecolor=PAPER)
    return path


def _drawn(bone_ct: Surface, swept_ct: Surface | None, points_ct: Floats | None = None) -> Floats:
    canvas, view = Canvas(*_PANEL_PX), np.array(_VIEW_CT) / np.linalg.norm(_VIEW_CT)
    canvas.add_surface(bone_ct, _CT_BONE, view)
    if swept_ct is not None:
        canvas.add_surface(swept_ct, _SWEPT, None)
    if points_ct is not None:
        for point in points_ct[:: max(1, len(points_ct) // 1500)]:
            canvas.add_ball(point, 0.9, _TRUE)
    canvas.look_from(view, (0.92, 0.92))
    return canvas.draw()


def near(surface_ct: Surface, points_ct: Floats, by_mm: Floats) -> Surface:
    """The part of a surface in a box about points ``(n, 3)``, larger by `by_mm`, ``(3,)``, on each side."""
    low, high = points_ct.min(axis=0) - by_mm, points_ct.max(axis=0) + by_mm
    inside = ((surface_ct.vertices_mm > low) & (surface_ct.vertices_mm < high)).all(axis=1)
    kept = surface_ct.triangles[inside[surface_ct.triangles].all(axis=1)]
    used, renumbered = np.unique(kept, return_inverse=True)
    triangles = renumbered.reshape(-1, 3).astype(np.int32)
    return Surface(surface_ct.vertices_mm[used], triangles, CT, surface_ct.name)
