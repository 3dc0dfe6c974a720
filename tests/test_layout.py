"""Folders that can be read: how many files each holds, how long they are, and that tests import from helpers only."""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from tests.house import PACKAGES, tracked_files

MOST_FILES = 15
MOST_IN_A_PACKAGE = 20
MOST_LINES = 400
ROOTS = (*PACKAGES, "tests", "benchmarks", "scripts", "docs")
# Folders that nobody reads from top to bottom.
EXCEPTED = {
    "unity_bridge/unity": "Unity wants a .meta beside each file, and the C# compiler wants an assembly in one folder",
    "tests/golden": "vectors, written by programs and read by the tests of two languages",
    "docs/decisions": "one page for each decision, in the order of their dates",
}


def tree() -> list[Path]:
    """The tracked files below the roots, relative to the repository."""
    paths = [path.relative_to(REPOSITORY) for path in tracked_files()]
    return [path for path in paths if path.parts[0] in ROOTS and len(path.parts) > 1]


def is_excepted(path: Path) -> bool:
    return any(path.is_relative_to(folder) for folder in EXCEPTED)


def crowded_folders(paths: list[Path]) -> dict[str, int]:
    """Folders with too many files; `__init__` is in each of them and is no file that one looks for."""
    counted = Counter(str(path.parent) for path in paths if path.stem != "__init__" and not is_excepted(path))
    return {folder: files for folder, files in counted.items() if files > MOST_FILES}


def crowded_packages(paths: list[Path]) -> dict[str, list[str]]:
    """Packages that show too much at once: modules and rooms in their first level."""
    shown: dict[str, set[str]] = {}
    for path in paths:
        if path.parts[0] in PACKAGES and path.suffix == ".py" and path.stem != "__init__":
            shown.setdefault(path.parts[0], set()).add(path.parts[1])
    return {package: sorted(names) for package, names in shown.items() if len(names) > MOST_IN_A_PACKAGE}


def long_modules(root: Path, paths: list[Path]) -> dict[str, int]:
    lines = {str(path): len((root / path).read_text("utf-8").splitlines()) for path in paths if path.suffix == ".py"}
    return {path: count for path, count in lines.items() if count > MOST_LINES}


def imports_from_tests(root: Path, paths: list[Path]) -> list[str]:
    """Modules that import one whose name begins with `test_`, or a name out of it."""
    found = []
    for path in paths:
        if path.suffix != ".py":
            continue
        for node in ast.walk(ast.parse((root / path).read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module or ''}.{name}" for name in names]
            found += [
                f"{path}:{node.lineno} {name}"
                for name in names
                if name.startswith("tests.") and any(part.startswith("test_") for part in name.split("."))
            ]
    return found


def test_no_folder_is_crowded():
    assert not crowded_folders(tree()), f"a folder holds {MOST_FILES} files at most: make rooms"


def test_a_package_shows_what_it_has_at_a_glance():
    assert not crowded_packages(tree()), f"a package shows {MOST_IN_A_PACKAGE} modules and rooms at most"


def test_no_module_is_long():
    assert not long_modules(REPOSITORY, tree()), f"a module has {MOST_LINES} lines at most: split it"


def test_tests_import_from_helpers_only():
    """A test module that others import from cannot be moved or split: what they share belongs in a helper."""
    assert not imports_from_tests(REPOSITORY, tree())


@pytest.mark.parametrize("folder", EXCEPTED)
def test_what_is_excepted_is_there(folder: str):
    assert (REPOSITORY / folder).is_dir()


def test_each_rule_can_be_broken(tmp_path: Path):
    crowd = [Path("registration", "surface", f"m{number}.py") for number in range(MOST_FILES + 1)]
    assert crowded_folders(crowd[1:]) == {}
    assert crowded_folders(crowd) == {"registration/surface": MOST_FILES + 1}
    assert crowded_folders([Path("docs/decisions") / path.name for path in crowd]) == {}
    many = [Path("case", f"m{number}.py") for number in range(MOST_IN_A_PACKAGE + 1)]
    assert crowded_packages(many[1:]) == {}
    assert list(crowded_packages(many)) == ["case"]
    long, importing = Path("long.py"), Path("importing.py")
    (tmp_path / long).write_text("\n" * (MOST_LINES + 1))
    lines = ["from tests.case.test_case import case", "from tests.case import test_atomic as atomic"]
    (tmp_path / importing).write_text(
        "\n".join([*lines, "import tests.case.test_case", "from tests.case import harness"])
    )
    assert long_modules(tmp_path, [long, importing]) == {"long.py": MOST_LINES + 1}
    assert len(imports_from_tests(tmp_path, [long, importing])) == 3
