"""Checks of GPU, TensorRT, each inference engine (by running it), and off-screen rendering with VTK."""

from __future__ import annotations

import importlib.util
import subprocess
from collections.abc import Iterator
from importlib import metadata

from geometry.clock import Clock
from geometry.errors import SurgNavError
from geometry.extras import install_command, missing_packages
from navigation.commands.doctor.report import Finding, Status
from navigation.pictures.offscreen import offscreen_rendering_available

GROUP = "inference"
_NVIDIA_SMI = ("nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader")


def gpu_and_tensorrt() -> Iterator[Finding]:
    """Checks the NVIDIA GPUs that the driver reports, whether torch can use them, and TensorRT."""
    gpus = _nvidia_gpus()
    if not gpus:
        yield Finding(GROUP, "gpu", Status.OK, "no NVIDIA GPU: inference runs on the processor", values={"gpus": 0})
        yield Finding(GROUP, "tensorrt", Status.OK, "not of use without an NVIDIA GPU", values={"version": None})
        return
    build = _version_of_torch()
    usable = build != "" and "+cpu" not in build
    found = "; ".join(gpus) if usable else f"{'; '.join(gpus)}; torch {build or 'is not installed and'} cannot use it"
    action = "SURGNAV_TORCH=cuda make setup, to let torch use the GPU"
    yield Finding.judged(GROUP, "gpu", usable, found, action, {"gpus": len(gpus)})
    yield _tensorrt()


def engines(clock: Clock) -> Iterator[Finding]:
    """Loads the network's weights and runs each engine once; one working engine is enough."""
    from reconstruction.network.engines.engine import available_engines

    try:
        reports = available_engines(clock)
    except SurgNavError as error:
        yield Finding(GROUP, "engines", Status.FAIL, error.came, error.action)
        return
    reports = tuple(report for report in reports if report.ok or _is_installed(report.name))
    if not reports:  # for whom these are no trouble: the base has no CT to segment
        yield Finding(GROUP, "engines", Status.WARN, "none is installed", install_command("segmentation"))
        return
    one_works = any(report.ok for report in reports)
    for report in reports:
        name = f"engine {report.name}"
        values = {"ms": report.ms, "version": report.version}
        if report.ok:
            found = f"{report.version}, a test window in {report.ms:.0f} ms"
            yield Finding(GROUP, name, Status.OK, found, values=values)
        else:
            status = Status.WARN if one_works else Status.FAIL
            yield Finding(GROUP, name, status, report.reason, "run make setup; the other engines do its work", values)


def rendering() -> Iterator[Finding]:
    """Checks in another process whether VTK can draw off screen, since VTK crashes where it cannot."""
    if "vtkmodules" in missing_packages("pictures"):
        yield Finding(GROUP, "rendering", Status.WARN, "VTK is not installed", install_command("pictures"))
        return
    report = offscreen_rendering_available()
    found = f"off screen: {report.reason}" if report.ok else report.reason
    action = "make setup installs libegl1 and libegl-mesa0; without them the demo has no pictures"
    yield Finding.judged(GROUP, "rendering", report.ok, found, action, {"backend": report.backend})


def _version_of_torch() -> str:
    """With the label of its build; empty where it is not installed."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return ""


def _is_installed(engine: str) -> bool:
    """Whether somebody installed an engine. What is absent, `software.extras` and `gpu_and_tensorrt` say."""
    return bool(_tensorrt_modules()) if engine == "tensorrt" else importlib.util.find_spec(engine) is not None


def _nvidia_gpus() -> list[str]:
    try:
        answer = subprocess.run(
            _NVIDIA_SMI, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in answer.stdout.splitlines() if line.strip()]


def _tensorrt() -> Finding:
    for module in _tensorrt_modules():
        try:
            version = importlib.import_module(module).__version__
        except (ImportError, OSError) as error:
            action = "reinstall it: .venv/bin/pip install --force-reinstall '.[tensorrt]'"
            return Finding(GROUP, "tensorrt", Status.WARN, f"{module} does not load: {error}", action)
        return Finding(GROUP, "tensorrt", Status.OK, f"{module} {version}", values={"version": version})
    action = ".venv/bin/pip install '.[tensorrt]' makes inference on this GPU faster"
    return Finding(GROUP, "tensorrt", Status.WARN, "not installed", action, {"version": None})


def _tensorrt_modules() -> list[str]:
    """Those with code; type stubs leave a folder of that name that has none."""
    found = {name: importlib.util.find_spec(name) for name in ("tensorrt", "tensorrt_rtx")}
    return [name for name, spec in found.items() if spec is not None and spec.origin is not None]
