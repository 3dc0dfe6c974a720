"""The files of a guest: read as text, counted by hash, loaded without running what is in them."""

from __future__ import annotations

import hashlib
import json
import pickle
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from geometry.extras import from_extra
from reconstruction.guests.card import NOT_STATED
from reconstruction.guests.errors import ModelError

LICENCE_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "docs/LICENSE", "docs/license.txt")


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object.

    Raises:
        ModelError: no such file, or no JSON object in it.
    """
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{path.name}, which cannot be read ({type(error).__name__})", "a JSON file", "restore the file"
        ) from error
    if not isinstance(values, dict):
        raise ModelError(f"{path.name} that holds no JSON object", "a JSON object", "restore the file")
    return values


def digests(folder: Path, paths: Iterable[Path]) -> dict[str, str]:
    """Path within the folder -> SHA-256 of the file.

    Raises:
        ModelError: a file cannot be read.
    """
    found = {}
    for path in paths:
        try:
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(f"{path.name}, which cannot be read", "a readable file", "check the path") from error
    return found


def stated_licence(folder: Path) -> str:
    """The first line of a licence file in the folder, or that none is stated."""
    for name in LICENCE_FILES:
        if (folder / name).is_file():
            text = (folder / name).read_text("utf-8", "replace").strip()
            return re.sub(r"\s+", " ", text.partition("\n")[0])[:80] or NOT_STATED
    return NOT_STATED


def load_checkpoint(path: Path, trusted: bool) -> Any:
    """What `torch.save` wrote, on the CPU: tensors and plain values only, unless a person trusts the file.

    A checkpoint is a pickle, and a pickle can run any code when it is read. NumPy's numbers, which trainers keep beside
    the weights, count as plain values.

    Raises:
        ModelError: the file is damaged, or wants more than plain values and is not trusted.
    """
    with from_extra("training"):
        import torch

    scalar = np.float64(0).__reduce__()[0]
    safe: list[Any] = [(scalar, name) for name in ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")]
    safe += [np.dtype, *(type(np.dtype(kind)) for kind in ("f4", "f8", "i4", "i8", "?"))]
    try:
        with torch.serialization.safe_globals(safe):
            return torch.load(path, map_location="cpu", weights_only=not trusted)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.]+)|Unsupported (?:global|class) ([\w.]+)", str(error))
        what = next((group for group in wanted.groups() if group), "") if wanted else ""
        raise ModelError(
            f"{path.name}, a pickle that wants to run {what or 'more than reading'} when it is read",
            "tensors and plain values",
            "leave it alone, unless you know who made it: then add it again with --trust",
        ) from error
    except (OSError, RuntimeError, EOFError) as error:
        raise ModelError(
            f"{path.name}, which torch cannot read ({str(error).partition(chr(10))[0][:120]})",
            "a checkpoint written by torch.save",
            "restore the file",
        ) from error
