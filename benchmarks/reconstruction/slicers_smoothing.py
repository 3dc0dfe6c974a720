"""The filters by which 3D Slicer makes a surface of a label, for the benchmarks that have it as a rival."""

from __future__ import annotations

from typing import Any


def slicers_smoothing(image: Any, value: int) -> tuple[Any, Any]:
    """Two connected VTK filters, not yet run: discrete flying edges of `value` in `image`, and windowed sinc smoothing.

    The smoothing is that of Slicer at its default smoothing factor of 0.5.
    """
    from vtkmodules.vtkFiltersCore import vtkWindowedSincPolyDataFilter
    from vtkmodules.vtkFiltersGeneral import vtkDiscreteFlyingEdges3D

    contour = vtkDiscreteFlyingEdges3D()
    contour.SetInputData(image)
    contour.SetValue(0, value)
    smooth = vtkWindowedSincPolyDataFilter()
    smooth.SetInputConnection(contour.GetOutputPort())
    smooth.SetNumberOfIterations(20)
    smooth.SetPassBand(0.01)  # of a smoothing factor of 0.5
    smooth.BoundarySmoothingOff()
    smooth.FeatureEdgeSmoothingOff()
    smooth.NonManifoldSmoothingOn()
    smooth.NormalizeCoordinatesOn()
    return contour, smooth
