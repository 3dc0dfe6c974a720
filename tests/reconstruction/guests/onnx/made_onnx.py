"""Small ONNX files with sidecars, whose answers are known."""

from __future__ import annotations

from pathlib import Path

import torch

from reconstruction.network.export import write_onnx

SIDECAR = """
structures = ["dense", "leftward"]
answer = "mask_logits"
orientation = "{orientation}"
axes = "{axes}"
spacing_mm = {spacing}
window = {window}
clip_hu = [-1000, 1000]
scale_to = [-1, 1]
licence = "made by a test"
"""


class DenseAndLeftward(torch.nn.Module):
    """Channel 0: above 200 HU. Channel 1: denser on the side where the patient's left is than on the other."""

    def __init__(self, axis: int, sign: float) -> None:
        super().__init__()
        weight = torch.zeros(2, 1, 3, 3, 3)
        weight[0, 0, 1, 1, 1] = 1.0
        ahead, behind = [1, 1, 1], [1, 1, 1]
        ahead[axis], behind[axis] = 2, 0
        weight[1, 0, ahead[0], ahead[1], ahead[2]] = sign
        weight[1, 0, behind[0], behind[1], behind[2]] = -sign
        self.weight = torch.nn.Parameter(weight)
        self.bias = torch.nn.Parameter(torch.tensor([-0.2, -0.1]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv3d(x, self.weight, self.bias, padding=1)


def write_onnx_guest(
    folder: Path,
    orientation: str = "LPS",
    axes: str = "kji",
    spacing: tuple[float, ...] = (2.0, 2.0, 2.0),
    window: tuple[int, ...] = (24, 20, 16),
) -> Path:
    """A network that is right only where orientation and axes are honoured, with its sidecar."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "made.onnx"
    network = DenseAndLeftward(2 if axes == "kji" else 0, 1.0 if orientation == "LPS" else -1.0)
    write_onnx(network.eval(), window[::-1] if axes == "kji" else window, path, input_name="image", half=False)
    sidecar = SIDECAR.format(orientation=orientation, axes=axes, spacing=list(spacing), window=list(window))
    path.with_suffix(".toml").write_text(sidecar, "utf-8")
    return path
