"""An off-screen VTK scene: coloured shapes, light, a camera, and the projection of points to pixels.

VTK without a working off-screen backend ends the process, so windows come only from `navigation.pictures.offscreen`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from case.colours import rgb
from geometry import Surface
from geometry.extras import from_extra
from navigation.pictures.colours import RESIDUAL_MAP
from navigation.pictures.offscreen import make_offscreen_window

Floats = NDArray[Any]

_SUPERSAMPLING = 2  # drawn at twice the size and averaged: edges are smooth on a software renderer too


class Canvas:
    """An off-screen scene in mm.

    Args:
        width_px, height_px: size of the finished picture.

    Raises:
        RenderingError: this machine cannot draw off screen.
    """

    def __init__(self, width_px: int, height_px: int) -> None:
        self.width_px, self.height_px = width_px, height_px
        self._window = make_offscreen_window(width_px * _SUPERSAMPLING, height_px * _SUPERSAMPLING)
        with from_extra("pictures"):
            from vtkmodules.vtkRenderingCore import vtkRenderer

        self._renderer = vtkRenderer()
        self._renderer.SetBackground(0.965, 0.97, 0.975)
        self._renderer.SetBackground2(0.83, 0.855, 0.885)
        self._renderer.GradientBackgroundOn()
        # Depth peeling blends several transparent surfaces behind one another in the right order.
        self._renderer.SetUseDepthPeeling(True)
        self._renderer.SetMaximumNumberOfPeels(4)
        self._renderer.SetOcclusionRatio(0.0)
        self._window.SetAlphaBitPlanes(True)
        self._window.SetMultiSamples(0)
        self._window.AddRenderer(self._renderer)
        self._samples: list[Floats] = []
        self._drawn_low, self._drawn_high = np.full(3, np.inf), np.full(3, -np.inf)

    def add_surface(self, surface: Surface, colour: str, glass_view: Floats | None) -> None:
        """Adds a surface; transparent where it faces `glass_view`, a unit vector ``(3,)`` to the viewer, if given."""
        with from_extra("pictures"):
            from vtkmodules.util.numpy_support import numpy_to_vtk

        normals = surface.vertex_normals()
        data = _poly_data(surface.vertices_mm, surface.triangles)
        data.GetPointData().SetNormals(numpy_to_vtk(normals.astype(np.float32), deep=True))
        if glass_view is not None:
            facing = np.abs(normals @ glass_view)
            rgba = np.empty((len(normals), 4), dtype=np.uint8)
            rgba[:, :3] = np.round(np.array(rgb(colour)) * 255.0)
            rgba[:, 3] = np.round(255.0 * (0.08 + 0.42 * (1.0 - facing) ** 2.2))
            data.GetPointData().SetScalars(numpy_to_vtk(rgba, deep=True))
        actor = self._add(data, colour)
        if glass_view is not None:
            actor.ForceTranslucentOn()
            actor.GetProperty().SetSpecular(0.1)
        self._grow(surface.vertices_mm[:: max(1, len(surface.vertices_mm) // 5000)])

    def add_ball(self, centre_mm: Floats, radius: float, colour: str) -> None:
        with from_extra("pictures"):
            from vtkmodules.vtkFiltersSources import vtkSphereSource

        ball = vtkSphereSource()
        ball.SetCenter(*centre_mm)
        ball.SetRadius(radius)
        ball.SetThetaResolution(32)
        ball.SetPhiResolution(32)
        self._add_source(ball, colour)
        self._grow(np.stack([centre_mm - radius, centre_mm + radius]))

    def add_rod(self, start_mm: Floats, end_mm: Floats, radius: float, colour: str) -> None:
        self._add_tube(start_mm, end_mm, (radius, radius), colour)

    def add_cone(self, tip_mm: Floats, base_mm: Floats, radius: float, colour: str) -> None:
        self._add_tube(tip_mm, base_mm, (0.3, radius), colour)

    def add_points(self, points_mm: Floats, values: Floats, limit: float, radius: float) -> None:
        """Adds small balls of `radius` in mm at ``(n, 3)``, coloured by values ``(n,)`` from 0 to `limit`."""
        with from_extra("pictures"):
            from matplotlib import colormaps
            from vtkmodules.util.numpy_support import numpy_to_vtk
            from vtkmodules.vtkFiltersSources import vtkSphereSource
            from vtkmodules.vtkRenderingCore import vtkActor, vtkGlyph3DMapper

        data = _poly_data(points_mm, np.empty((0, 3), dtype=np.int32))
        colours = colormaps[RESIDUAL_MAP](np.clip(values / limit, 0.0, 1.0), bytes=True)[:, :3]
        data.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(colours), deep=True))
        ball = vtkSphereSource()
        ball.SetRadius(radius)
        ball.SetThetaResolution(12)
        ball.SetPhiResolution(12)
        mapper = vtkGlyph3DMapper()
        mapper.SetInputData(data)
        mapper.SetSourceConnection(ball.GetOutputPort())
        mapper.ScalingOff()
        actor = vtkActor()
        actor.SetMapper(mapper)
        actor.GetProperty().SetAmbient(0.35)
        actor.GetProperty().SetDiffuse(0.7)
        self._renderer.AddActor(actor)
        self._grow(points_mm)

    def add_image(self, grey: Floats, shown: Floats, corner_mm: Floats, right_mm: Floats, down_mm: Floats) -> None:
        """Adds a grey image as a plane, which keeps its brightness in any light.

        Args:
            grey: ``(h, w)`` uint8.
            shown: which of its pixels are drawn, ``(h, w)`` bool.
            corner_mm: upper left corner, ``(3,)``.
            right_mm, down_mm: along the whole first row, and down the whole first column, ``(3,)``.
        """
        with from_extra("pictures"):
            from vtkmodules.util.numpy_support import numpy_to_vtk
            from vtkmodules.vtkCommonDataModel import vtkImageData
            from vtkmodules.vtkFiltersSources import vtkPlaneSource
            from vtkmodules.vtkRenderingCore import vtkTexture

        rgba = np.dstack([grey, grey, grey, np.where(shown, 255, 0)])[::-1].astype(np.uint8)
        image = vtkImageData()
        image.SetDimensions(grey.shape[1], grey.shape[0], 1)
        image.GetPointData().SetScalars(numpy_to_vtk(np.ascontiguousarray(rgba.reshape(-1, 4)), deep=True))
        texture = vtkTexture()
        texture.SetInputData(image)
        texture.InterpolateOn()
        plane = vtkPlaneSource()
        plane.SetOrigin(*(corner_mm + down_mm))
        plane.SetPoint1(*(corner_mm + down_mm + right_mm))
        plane.SetPoint2(*corner_mm)
        actor = self._add_source(plane, "#ffffff")
        actor.SetTexture(texture)
        actor.ForceTranslucentOn()
        actor.GetProperty().LightingOff()
        self._grow(np.stack([corner_mm, corner_mm + right_mm, corner_mm + down_mm, corner_mm + right_mm + down_mm]))

    def look_from(self, view: Floats, fill: tuple[float, float] = (0.66, 0.88)) -> None:
        """Points the camera at everything that was added, with z up.

        Args:
            view: unit vector ``(3,)`` towards the viewer.
            fill: share of the picture's width and height that the scene may take.
        """
        with from_extra("pictures"):
            from vtkmodules.vtkRenderingCore import vtkLightKit

        camera = self._renderer.GetActiveCamera()
        centre = (self._drawn_low + self._drawn_high) / 2.0
        camera.SetFocalPoint(*centre)
        camera.SetViewAngle(18.0)
        camera.SetPosition(*(centre + view * 1000.0))
        camera.SetViewUp(0.0, 0.0, 1.0)
        self._renderer.ResetCamera(*np.stack([self._drawn_low, self._drawn_high]).T.reshape(-1))
        low, high = self._extent_on_screen()
        camera.Zoom(float(np.min(2.0 * np.array(fill) / (high - low))))
        low, high = self._extent_on_screen()
        camera.SetWindowCenter(*((low + high) / 2.0 + np.array([0.0, 0.02])))  # room for the title
        self._renderer.ResetCameraClippingRange()
        lights = vtkLightKit()
        lights.SetKeyLightIntensity(0.95)
        lights.SetKeyToFillRatio(2.2)
        lights.SetKeyToHeadRatio(3.0)
        lights.SetKeyLightWarmth(0.55)
        lights.AddLightsToRenderer(self._renderer)

    def draw(self) -> Floats:
        """Draws the scene; returns the picture, ``(height, width, 3)`` uint8, top row first."""
        with from_extra("pictures"):
            from vtkmodules.util.numpy_support import vtk_to_numpy
            from vtkmodules.vtkRenderingCore import vtkWindowToImageFilter

        self._window.Render()
        grab = vtkWindowToImageFilter()
        grab.SetInput(self._window)
        grab.ShouldRerenderOff()  # just drawn by Render: drawing again would double the cost
        grab.ReadFrontBufferOff()
        grab.SetInputBufferTypeToRGB()
        grab.Update()
        image = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())
        s = _SUPERSAMPLING
        image = image.reshape(self.height_px, s, self.width_px, s, 3).mean(axis=(1, 3))
        return np.round(image[::-1]).astype(np.uint8)

    def pixel_of(self, point_mm: Floats) -> tuple[float, float]:
        """Pixel coordinates of a point ``(3,)`` in the picture, from the left and from the bottom."""
        self._renderer.SetWorldPoint(*point_mm, 1.0)
        self._renderer.WorldToDisplay()
        x, y, _ = self._renderer.GetDisplayPoint()
        return x / _SUPERSAMPLING, y / _SUPERSAMPLING

    @property
    def drawn_px(self) -> tuple[float, float]:
        """Left and right end of the scene in the picture, in pixels."""
        low, high = self._extent_on_screen()
        return tuple(((np.array([low[0], high[0]]) + 1.0) * self.width_px / 2.0).tolist())

    def direction_on_screen(self, direction: Floats) -> tuple[float, float]:
        """Components of a unit vector ``(3,)`` to the right and up in the picture, from -1 to 1."""
        matrix = self._renderer.GetActiveCamera().GetViewTransformMatrix()
        rows = np.array([[matrix.GetElement(row, column) for column in range(3)] for row in range(2)])
        right, up = rows @ direction
        return float(right), float(up)

    def _grow(self, points_mm: Floats) -> None:
        self._samples.append(points_mm)
        self._drawn_low = np.minimum(self._drawn_low, points_mm.min(axis=0))
        self._drawn_high = np.maximum(self._drawn_high, points_mm.max(axis=0))

    def _extent_on_screen(self) -> tuple[Floats, Floats]:
        """Lower left and upper right corner of everything that was added; -1 to 1 is the whole picture."""
        camera = self._renderer.GetActiveCamera()
        matrix = camera.GetCompositeProjectionTransformMatrix(self.width_px / self.height_px, -1.0, 1.0)
        rows = np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])
        points = np.concatenate(self._samples)
        projected = np.column_stack([points, np.ones(len(points))]) @ rows.T
        flat = projected[:, :2] / projected[:, 3:]
        return flat.min(axis=0), flat.max(axis=0)

    def _add_tube(self, start_mm: Floats, end_mm: Floats, radii: tuple[float, float], colour: str) -> None:
        ring = 24
        along = (end_mm - start_mm) / max(float(np.linalg.norm(end_mm - start_mm)), 1e-9)
        side = np.cross(along, np.eye(3)[int(np.argmin(np.abs(along)))])
        side /= np.linalg.norm(side)
        angle = np.linspace(0.0, 2.0 * np.pi, ring, endpoint=False)
        circle = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * np.cross(along, side)
        vertices = np.concatenate([start_mm + radii[0] * circle, end_mm + radii[1] * circle, [start_mm, end_mm]])
        this, following = np.arange(ring), (np.arange(ring) + 1) % ring
        first, last = np.full(ring, 2 * ring), np.full(ring, 2 * ring + 1)
        faces = ((this, following, this + ring), (following, following + ring, this + ring))
        caps = ((following, this, first), (this + ring, following + ring, last))
        triangles = np.concatenate([np.stack(face, axis=1) for face in (*faces, *caps)])
        self._add(_poly_data(vertices, triangles), colour)
        self._grow(vertices)

    def _add_source(self, source: Any, colour: str) -> Any:
        source.Update()
        return self._add(source.GetOutput(), colour)

    def _add(self, data: Any, colour: str) -> Any:
        with from_extra("pictures"):
            from vtkmodules.vtkRenderingCore import vtkActor, vtkPolyDataMapper

        mapper = vtkPolyDataMapper()
        mapper.SetInputData(data)
        actor = vtkActor()
        actor.SetMapper(mapper)
        look = actor.GetProperty()
        look.SetColor(*rgb(colour))
        look.SetAmbient(0.12)
        look.SetDiffuse(0.85)
        look.SetSpecular(0.22)
        look.SetSpecularPower(24.0)
        self._renderer.AddActor(actor)
        return actor


def _poly_data(vertices_mm: Floats, triangles: Floats) -> Any:
    with from_extra("pictures"):
        from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
        from vtkmodules.vtkCommonCore import vtkPoints
        from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    points = vtkPoints()
    points.SetData(numpy_to_vtk(np.ascontiguousarray(vertices_mm, dtype=np.float64), deep=True))
    data = vtkPolyData()
    data.SetPoints(points)
    if len(triangles):
        cells = vtkCellArray()
        offsets = np.arange(0, 3 * len(triangles) + 1, 3, dtype=np.int64)
        connectivity = np.ascontiguousarray(triangles, dtype=np.int64).reshape(-1)
        cells.SetData(numpy_to_vtkIdTypeArray(offsets, deep=True), numpy_to_vtkIdTypeArray(connectivity, deep=True))
        data.SetPolys(cells)
    return data
