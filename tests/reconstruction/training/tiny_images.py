"""Made-up ultrasound frames with a dark vessel and a bright nerve, and a training file small enough for a test."""

from pathlib import Path

import numpy as np

TOML = """
name = "tiny_images"
task = "made-up discs"

[[source]]
name = "made"
images = "images/*.png"
masks = "masks/{{stem}}.png"
split = "split.csv"
licence = "none"
attribution = "made by a test"
labelled_by = "a formula"

[classes]
nerve = [128, 0, 0]
vessel = [0, 128, 0]

[network]
dimensions = 2
family = "{family}"
channels = [8, 16]
window = [32, 32]

[schedule]
iterations = {iterations}
batch = 4
learning_rate = 1e-2
checkpoint_every = 2
average_over = 10
warm_up = 1
bfloat16 = false
"""


def write_images(folder: Path, count: int = 6, iterations: int = 4, family: str = "half_resolution") -> Path:
    """Writes frames of 40 x 50 pixels, their masks, the split (last two for validation) and the TOML."""
    import SimpleITK as sitk

    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    lines = ["# name,group,part"]
    for number in range(count):
        rng = np.random.default_rng(number)
        row, column = np.indices((40, 50))
        grey = rng.normal(110, 12, (40, 50))
        mask = np.zeros((40, 50, 3), np.uint8)
        for level, colour in ((230, (128, 0, 0)), (10, (0, 128, 0))):
            centre = rng.uniform(9, 31), rng.uniform(9, 41)
            disc = np.hypot(row - centre[0], column - centre[1]) < 7
            grey[disc], mask[disc] = level + rng.normal(0, 5, disc.sum()), colour
        sitk.WriteImage(
            sitk.GetImageFromArray(grey.clip(0, 255).astype(np.uint8)), str(folder / f"images/{number}.png")
        )
        sitk.WriteImage(sitk.GetImageFromArray(mask, isVector=True), str(folder / f"masks/{number}.png"))
        lines.append(f"{number},{number},{'training' if number < count - 2 else 'validation'}")
    (folder / "split.csv").write_text("\n".join(lines) + "\n", "utf-8")
    path = folder / "tiny.toml"
    path.write_text(TOML.format(iterations=iterations, family=family), "utf-8")
    return path
