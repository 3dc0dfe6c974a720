"""The extras of the installation: which packages each brings, and the one place that says when one is missing.

The base installation holds what geometry, the case, calibration, the wire and the command line need. Everything else
is imported inside `from_extra`, by the function that needs it: every module can be imported with the base alone.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from geometry.errors import SurgNavError

# Extra to the packages that it brings, by the names they are imported by; pyproject.toml has the distributions.
EXTRAS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "registration": ("nibabel", "open3d"),
        "reconstruction": (
            *("SimpleITK", "fast_simplification", "nibabel", "open3d", "pydicom", "skimage", "vtkmodules"),
        ),
        "segmentation": ("onnx", "onnxruntime", "openvino"),
        "training": ("SimpleITK", "cv2", "monai", "onnx", "torch"),
        "navigation": ("fast_simplification", "foxglove", "open3d", "prometheus_client"),
        "ultrasound": ("PIL", "contourpy", "cv2", "onnx", "onnxruntime", "openvino"),
        "ndi": ("serial",),
        "pictures": ("matplotlib", "vtkmodules"),
        "markers": ("cv2",),
        "archive": ("highdicom", "pydicom"),
        "replay": ("lz4", "zstandard"),
    }
)


class MissingExtraError(SurgNavError, ImportError):
    """Something was asked for whose packages are not installed; the message names the extra that brings them."""


@contextmanager
def from_extra(extra: str) -> Iterator[None]:
    """For the imports of packages that only an extra brings.

    Args:
        extra: the extra of the workshop that needs them, a key of `EXTRAS`.

    Raises:
        MissingExtraError: one of the extra's packages is not installed. An installed package that cannot find one of
            its own dependencies raises its own error.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS[extra]:
            raise
        raise _missing((package,), (extra,)) from error


def missing_packages(extra: str) -> tuple[str, ...]:
    """The packages of an extra that are not installed, by the names they are imported by."""
    return tuple(package for package in EXTRAS[extra] if importlib.util.find_spec(package) is None)


def require_extras(*extras: str) -> None:
    """For what uses several extras, before it starts: better than an error half-way.

    Raises:
        MissingExtraError: packages of one of `extras` are not installed; all that are missing are named at once.
    """
    missing = {extra: packages for extra in extras if (packages := missing_packages(extra))}
    if missing:
        names = sorted({name for packages in missing.values() for name in packages}, key=str.lower)
        raise _missing(tuple(names), tuple(missing))


def install_command(*extras: str) -> str:
    """What to type to install these extras."""
    return f"pip install 'surgnav[{','.join(extras)}]'"


def _missing(packages: tuple[str, ...], extras: tuple[str, ...]) -> MissingExtraError:
    plural = "s" if len(extras) > 1 else ""
    came = f"no package {', '.join(packages)} of surgnav[{','.join(extras)}]"
    return MissingExtraError(came, f"the extra{plural} {', '.join(extras)}", install_command(*extras))
