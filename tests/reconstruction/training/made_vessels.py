"""Made ultrasound frames with one round vessel each, which the shipped tiny network finds, and their training file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter

TOML = """
name = "ultrasound_nerve_vessel_tiny"
task = "made vessels"

[[source]]
name = "made"
images = "images/*.png"
masks = "masks/{stem}.png"
split = "split.csv"
licence = "none"
attribution = "made by a test"
labelled_by = "a formula"

[classes]
nerve = [128, 0, 0]
vessel = [0, 128, 0]

[network]
dimensions = 2
"""
WRONG = 2  # the frame whose mask lies in another place than its vessel


def write_vessels(folder: Path, count: int = 4) -> Path:
    """Writes frames of 200 x 220 pixels, all held out, and returns the TOML; the mask of one is wrong."""
    import SimpleITK as sitk

    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    row, column = np.indices((200, 220))
    for number in range(count):
        rng = np.random.default_rng(number)
        grey = gaussian_filter(rng.rayleigh(60.0, (200, 220)), (1.0, 2.5))
        apart = np.hypot(row - rng.uniform(60, 140), column - rng.uniform(60, 110))
        grey[apart < 25] *= 0.1
        grey[(apart > 25) & (apart < 29)] += 60.0
        mask = np.zeros((200, 220, 3), np.uint8)
        drawn = apart < 25 if number != WRONG else np.hypot(row - 100, column - 180) < 25
        mask[drawn] = (0, 128, 0)
        image = sitk.GetImageFromArray(grey.clip(0, 255).astype(np.uint8))
        sitk.WriteImage(image, str(folder / f"images/{number}.png"))
        sitk.WriteImage(sitk.GetImageFromArray(mask, isVector=True), str(folder / f"masks/{number}.png"))
    (folder / "split.csv").write_text("".join(f"{n},{n},held_out\n" for n in range(count)), "utf-8")
    path = folder / "vessels.toml"
    path.write_text(TOML, "utf-8")
    return path
