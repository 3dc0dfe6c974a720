"""Landmarks of a tool that are touched with a stylus, one after the other in the order of its drawing, live."""

from __future__ import annotations

from collections.abc import Mapping

from calibration.accuracy.visits import Visit, find_visits
from calibration.errors import CalibrationRefusedError
from calibration.pivot.template import TemplateSettings, TemplateTool, calibrate_template
from geometry.points import Floats
from navigation.acquisition.collecting import Advice
from navigation.acquisition.live_poses import CollectedPoses


class LandmarkCollecting(CollectedPoses):
    """Satisfies `Collecting` for the poses of a stylus relative to the tool that it touches.

    Args:
        source: name of the device or room.
        template: the drawing, whose landmarks are touched in their order.
        tip_mm: the stylus' tip ``(3,)`` in its own frame.
        tool: name of the tool.
        settings: what the calibration must bring.
    """

    def __init__(
        self, source: str, template: TemplateTool, tip_mm: Floats, tool: str, settings: TemplateSettings
    ) -> None:
        super().__init__(source)
        self._template, self._tip_mm, self._tool, self._settings = template, tip_mm, tool, settings
        self._names = list(template.landmarks_mm)
        self._n_touched = 0

    @property
    def is_enough(self) -> bool:
        """Whether, at the last advice, all landmarks had been touched."""
        return self._n_touched >= len(self._names)

    def touched_mm(self) -> Mapping[str, Floats]:
        """Where the landmarks were touched, ``(3,)`` in the tool's frame, by name."""
        return {name: visit.place_mm for name, visit in zip(self._names, self._visits(), strict=False)}

    def undo(self) -> None:
        """Takes the last landmark back; what came after it too."""
        visits = self._visits()
        if not visits:
            super().undo()
            return
        self._samples = [each for each in self._samples if each.time_s < visits[-1].begin_s]

    def advice(self) -> Advice:
        touched = self.touched_mm()
        self._n_touched = len(touched)
        doubt = f"{len(touched)} of {len(self._names)} landmarks; {self._doubt(touched)}"
        if self.is_enough:
            return Advice.enough(doubt)
        step = f"hold the stylus' tip still on {self._names[len(touched)]} for two seconds, and tilt it a little"
        return Advice(step, len(touched) / len(self._names), doubt)

    def _visits(self) -> list[Visit]:
        return find_visits(self.stream(0), self._tip_mm) if len(self) > 1 else []

    def _doubt(self, touched: Mapping[str, Floats]) -> str:
        try:
            found = calibrate_template(self._template, touched, self._tool, self._settings)
        except CalibrationRefusedError as error:
            return f"the tip is not known yet: {error.came}"
        return f"the tip is known to {found.expected_tip_error_rms_mm:.2f} mm RMS"
