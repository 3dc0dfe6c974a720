"""Which modules have a page, the pages themselves, and the references in them that lead nowhere."""

from __future__ import annotations

import gc
import importlib.util
import re
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

PACKAGES = (
    "surgnav",
    "geometry",
    "case",
    "calibration",
    "reconstruction",
    "registration",
    "unity_bridge",
    "navigation",
)
_HIDDEN = ("unity_bridge.wire.generated", "unity_bridge.unity")
_UNLINKED = re.compile(rf"<code>((?:{'|'.join(PACKAGES)})(?:\.\w+)+)(?:\(\))?</code>")
# `surgnav.wire` is a log, `case.json` a file and `navigation.md` a page.
_LOGS = {"surgnav.wire", "surgnav.headset"}
_FILES = (".json", ".md", ".py", ".toml", ".yaml")


def public_modules(repository: Path, packages: Iterable[str] = PACKAGES) -> list[str]:
    """Names of the modules that have a page: all but private, generated and ``__main__``, each package first."""
    names = []
    for package in packages:
        for path in sorted((repository / package).rglob("*.py")):
            parts = path.relative_to(repository).with_suffix("").parts
            parts = parts[:-1] if parts[-1] == "__init__" else parts
            name = ".".join(parts)
            if not any(part.startswith("_") for part in parts) and not name.startswith(_HIDDEN):
                names.append(name)
    return sorted(names, key=lambda name: (PACKAGES.index(name.partition(".")[0]), name))


def write_pages(modules: Sequence[str], folder: Path) -> list[str]:
    """Writes one HTML page a module, an index and a search index.

    Args:
        modules: names; they are imported.
        folder: where the pages go; made if it is missing.

    Returns:
        What pdoc warned of, and references to modules and names of ours that do not exist.
    """
    import pdoc

    pdoc.render.configure(
        docformat="google", show_source=False, template_directory=Path(__file__).parent, footer_text="SurgNav"
    )
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(record=True) as said, _without_collector(), _tensorrt_by_its_twin():
        warnings.simplefilter("ignore")
        warnings.filterwarnings("always", category=UserWarning, module=r"pdoc(\.|$)")
        # Every module is named, since pdoc finds those only that a package's __all__ names; some it finds twice so.
        warnings.filterwarnings("ignore", message="The module specification .* has already been added")
        pdoc.pdoc(*modules, output_directory=folder)
    return [str(warning.message) for warning in said] + broken_references(folder)


@contextmanager
def _without_collector() -> Iterator[None]:
    """pdoc keeps all of its trees to the end: looking for garbage among them takes a quarter of its time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def _tensorrt_by_its_twin() -> Iterator[None]:
    """Annotations name the types of TensorRT, which few have; those of TensorRT for RTX have the same names."""
    absent = importlib.util.find_spec("tensorrt") is None
    if absent:
        sys.modules["tensorrt"] = importlib.import_module("tensorrt_rtx")
    try:
        yield
    finally:
        if absent:
            del sys.modules["tensorrt"]


def broken_references(folder: Path) -> list[str]:
    """Names such as ``geometry.frames.x`` in backticks that pdoc could not link: there is no such thing."""
    return [
        f"{page.relative_to(folder)}: {name}"
        for page in sorted(folder.rglob("*.html"))
        for name in sorted(set(_UNLINKED.findall(page.read_text("utf-8"))))
        if name not in _LOGS and not name.endswith(_FILES)
    ]
