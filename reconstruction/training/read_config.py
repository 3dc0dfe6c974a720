"""Reads a training file; its network's dimensions decide whether it is one of volumes or of images."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from reconstruction.network.errors import TrainingConfigError
from reconstruction.training.config import TrainingConfig
from reconstruction.training.images.config import ImageTrainingConfig


def read_config(path: Path) -> TrainingConfig | ImageTrainingConfig:
    """Reads and checks a training file.

    Raises:
        TrainingConfigError: no such file, not TOML, an unknown key or a value out of range; every fault is listed.
    """
    try:
        text = tomllib.loads(path.read_text("utf-8"))
        network = text.get("network")
        planar = isinstance(network, dict) and network.get("dimensions") == 2
        return ImageTrainingConfig.model_validate(text) if planar else TrainingConfig.model_validate(text)
    except FileNotFoundError as error:
        raise TrainingConfigError(f"no file {path}", "a training TOML", "check the path") from error
    except tomllib.TOMLDecodeError as error:
        raise TrainingConfigError(
            f"{path.name}, which is not TOML ({error})", "TOML 1.0", "correct the line named"
        ) from error
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise TrainingConfigError(
            f"{path.name} with {error.error_count()} fault(s): {faults}",
            "the keys of first_network.toml, or for two dimensions of ultrasound_nerve_vessel.toml",
            "correct these keys",
        ) from error
