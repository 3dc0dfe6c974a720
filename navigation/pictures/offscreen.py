"""Tests in another process whether this machine can draw off screen, since VTK crashes without EGL or OSMesa.

VTK must not be imported for this test: without an OpenGL library, a segmentation fault ends the process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

from geometry.extras import from_extra, require_extras
from navigation.errors import RenderingError

BACKENDS = ("vtkEGLRenderWindow", "vtkOSOpenGLRenderWindow")
"""The window classes of VTK that need no display, in the order in which they are tried."""

# Draws a red square and reads it back, since only a picture proves that a driver works.
_PROBE = """
import sys
import vtkmodules.vtkRenderingOpenGL2 as opengl
from vtkmodules.vtkRenderingCore import vtkRenderer, vtkWindowToImageFilter

window = getattr(opengl, sys.argv[1])()
window.SetOffScreenRendering(1)
window.SetSize(8, 8)
renderer = vtkRenderer()
renderer.SetBackground(1.0, 0.0, 0.0)
window.AddRenderer(renderer)
window.Render()
grab = vtkWindowToImageFilter()
grab.SetInput(window)
grab.Update()
colour = [grab.GetOutput().GetScalarComponentAsDouble(4, 4, 0, channel) for channel in range(3)]
sys.exit(0 if colour == [255.0, 0.0, 0.0] else 3)
"""


@dataclass(frozen=True)
class OffscreenReport:
    """Whether pictures can be drawn off screen, and with what.

    Attributes:
        ok: True if a test picture was drawn and read back.
        backend: the window class in ``vtkmodules.vtkRenderingOpenGL2`` that works; None if not ok.
        reason: the result in words; if not ok, what failed.
    """

    ok: bool
    backend: str | None
    reason: str


@cache
def offscreen_rendering_available(timeout_s: float = 60.0) -> OffscreenReport:
    """Draws a test picture in another process with each backend until one works; the result is cached.

    Args:
        timeout_s: a driver that takes longer hangs; a cold start of VTK takes 2 s.
    """
    failures = []
    for backend in BACKENDS:
        failure = _failure_of(backend, timeout_s)
        if failure is None:
            return OffscreenReport(True, backend, f"{backend} drew a test picture")
        failures.append(f"{backend} {failure}")
    return OffscreenReport(
        False,
        None,
        f"no off-screen rendering ({'; '.join(failures)})",
    )


def make_offscreen_window(width_px: int, height_px: int) -> Any:
    """A ``vtkRenderWindow`` of the backend that drew the test picture, not of VTK's default one, which may crash.

    Raises:
        MissingExtraError: the extra for pictures is not installed.
        RenderingError: this machine cannot draw off screen; the message says what to install.
    """
    require_extras("pictures")
    report = offscreen_rendering_available()
    if report.backend is None:
        raise RenderingError(
            report.reason,
            f"off-screen rendering with {' or '.join(BACKENDS)}",
            "install libegl1 and libegl-mesa0, as make setup does",
        )
    with from_extra("pictures"):
        import vtkmodules.vtkRenderingOpenGL2 as opengl

    window = getattr(opengl, report.backend)()
    window.SetOffScreenRendering(1)
    window.SetSize(width_px, height_px)
    return window


def _failure_of(backend: str, timeout_s: float) -> str | None:
    """Why `backend` cannot draw on this machine; None if it can."""
    try:
        probe = subprocess.run(
            [sys.executable, "-c", _PROBE, backend],
            env={**os.environ, "VTK_DEFAULT_OPENGL_WINDOW": backend},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"did not answer within {timeout_s:g} s"
    if probe.returncode == 0:
        return None
    if probe.returncode < 0:
        return f"crashed (signal {-probe.returncode})"
    if probe.returncode == 3:
        return "drew a wrong picture"
    last_line = probe.stderr.decode(errors="replace").strip().rsplit("\n", 1)[-1]
    return f"failed: {last_line or f'exit status {probe.returncode}'}"
