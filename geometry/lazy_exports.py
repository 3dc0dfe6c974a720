"""Names that a package exports without importing the modules that they come from (PEP 562)."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any


def lazy_exports(package: str, init_file: str) -> tuple[Callable[[str], Any], list[str]]:
    """What a package exports: the names that its stub imports, each imported when it is first used.

    The stub, ``__init__.pyi`` beside ``__init__.py``, is what type checkers and editors read; so every name is said
    once. It holds lines such as ``from reconstruction.ct.read import read_ct as read_ct``.

    Args:
        package: name of the package, ``__name__`` there.
        init_file: ``__file__`` there.

    Returns:
        The package's ``__getattr__`` and ``__all__``.
    """
    stub = ast.parse(Path(init_file).with_suffix(".pyi").read_text("utf-8"))
    lines = [node for node in stub.body if isinstance(node, ast.ImportFrom)]
    module_of = {name.name: str(line.module) for line in lines for name in line.names}

    def load(name: str) -> Any:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(module_of[name]), name)
        setattr(sys.modules[package], name, value)  # the next use finds it at once
        return value

    return load, sorted(module_of)
