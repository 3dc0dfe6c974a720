"""Sweeps written as sequences of PLUS, with drawn images."""

from pathlib import Path

import numpy as np

from geometry.points import Floats


def drawn_line(ends_px: Floats, size_px: tuple[int, int]) -> np.ndarray:
    """A grey image with an echo whose near edge is the line through two points."""
    (x0, y0), (x1, y1) = ends_px
    width, height = size_px
    depths = y0 + (y1 - y0) / (x1 - x0) * (np.arange(width) - x0)
    behind = np.arange(height)[:, None] - depths
    echo = 200.0 * np.clip(behind / 2.0 + 0.5, 0.0, 1.0) * np.exp(-np.maximum(behind, 0.0) / 4.0)
    return np.clip(echo, 0, 255).astype(np.uint8)


def write_sequence(path: Path, images: np.ndarray, tools: dict[str, Floats]) -> Path:
    """Writes images ``(n, h, w)`` with poses ``(n, 4, 4)`` by PLUS's names, such as ProbeToTracker, at 20 a second."""
    n, height, width = images.shape
    lines = [
        "ObjectType = Image",
        "NDims = 3",
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = False",
        f"DimSize = {width} {height} {n}",
        "Kinds = domain domain list",
        "ElementNumberOfChannels = 1",
        "ElementSpacing = 1 1 1",
        "ElementType = MET_UCHAR",
        "Offset = 0 0 0",
        "TransformMatrix = 1 0 0 0 1 0 0 0 1",
        "UltrasoundImageOrientation = MF",
        "UltrasoundImageType = BRIGHTNESS",
    ]
    for k in range(n):
        start = f"Seq_Frame{k:04}_"
        for name, poses in tools.items():
            lines.append(f"{start}{name}Transform = {' '.join(f'{value:.10g}' for value in poses[k].ravel())}")
            lines.append(f"{start}{name}TransformStatus = OK")
        lines += [f"{start}Timestamp = {10.0 + 0.05 * k:.3f}", f"{start}ImageStatus = OK"]
    path.write_bytes("\n".join([*lines, "ElementDataFile = LOCAL\n"]).encode() + images.tobytes())
    return path
