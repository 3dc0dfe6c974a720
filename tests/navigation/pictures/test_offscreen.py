"""Drawing without a screen: the answer must be true, and asking must never kill the process."""

import sys

import pytest

from navigation.errors import RenderingError
from navigation.pictures import offscreen


@pytest.fixture(autouse=True)
def _ask_anew():
    offscreen.offscreen_rendering_available.cache_clear()
    yield
    offscreen.offscreen_rendering_available.cache_clear()


def test_a_window_draws_what_was_promised():
    # Set-up installs what this needs, so here it must work; a machine without it is no place to run the demo.
    report = offscreen.offscreen_rendering_available()
    assert report.ok, report.reason
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkWindowToImageFilter

    window = offscreen.make_offscreen_window(20, 10)
    renderer = vtkRenderer()
    renderer.SetBackground(0.0, 0.0, 1.0)
    window.AddRenderer(renderer)
    window.Render()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.Update()
    picture = grab.GetOutput()
    assert picture.GetDimensions() == (20, 10, 1)
    assert [picture.GetScalarComponentAsDouble(19, 9, 0, channel) for channel in range(3)] == [0, 0, 255]


@pytest.mark.parametrize(
    ("probe", "reason"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "crashed (signal 11)"),
        ("raise ImportError('libEGL.so.1 is away')", "failed: ImportError: libEGL.so.1 is away"),
        ("raise SystemExit(3)", "drew a wrong picture"),
    ],
)
def test_every_way_to_fail_is_told_apart(monkeypatch, probe, reason):
    monkeypatch.setattr(offscreen, "_PROBE", probe)
    report = offscreen.offscreen_rendering_available()
    assert not report.ok
    assert report.backend is None
    for backend in offscreen.BACKENDS:
        assert f"{backend} {reason}" in report.reason
    with pytest.raises(RenderingError, match="make setup"):
        offscreen.make_offscreen_window(8, 8)


def test_a_driver_that_hangs_does_not_hang_us(monkeypatch):
    monkeypatch.setattr(offscreen, "_PROBE", "import time; time.sleep(60)")
    assert (
        "vtkEGLRenderWindow did not answer within 0.5 s"
        in offscreen.offscreen_rendering_available(timeout_s=0.5).reason
    )


def test_the_second_backend_is_tried(monkeypatch):
    monkeypatch.setattr(offscreen, "_PROBE", "import sys; sys.exit(sys.argv[1] != 'vtkOSOpenGLRenderWindow')")
    assert offscreen.offscreen_rendering_available().backend == "vtkOSOpenGLRenderWindow"


def test_asked_once_per_process(monkeypatch):
    monkeypatch.setattr(offscreen, "_PROBE", "")
    first = offscreen.offscreen_rendering_available()
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert offscreen.offscreen_rendering_available() is first
