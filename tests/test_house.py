"""The rules of the house that no linter knows (docs and the design hold them; these tests hold us)."""

import ast
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from geometry.extras import EXTRAS
from navigation.commands.doctor.examination import _SUPPORTED_PYTHON
from navigation.commands.doctor.software import read_lock
from tests.conftest import REPOSITORY
from tests.house import HEAVY, PACKAGES, tracked_files

MODULES = sorted(path.relative_to(REPOSITORY) for package in PACKAGES for path in (REPOSITORY / package).rglob("*.py"))


@cache
def syntax(module: Path) -> ast.Module:
    return ast.parse((REPOSITORY / module).read_text("utf-8"))


@cache
def project() -> dict:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]


def requirements() -> list[Requirement]:
    """What make installs: the base, every extra but TensorRT, and what is needed to work on it."""
    extras = project()["optional-dependencies"]
    lines = [line for name in extras if name not in ("all", "tensorrt", "tensorrt-rtx") for line in extras[name]]
    return [Requirement(line) for line in [*project()["dependencies"], *lines]]


# ---------------------------------------------------------------------------------------------------------------- size
def test_files_stay_short():
    long = {
        str(path.relative_to(REPOSITORY)): lines
        for path in tracked_files()
        if path.suffix == ".py" and (lines := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert not long, "split what is over 400 lines"


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    documented = isinstance(first, ast.Expr) and isinstance(getattr(first.value, "value", None), str)
    docstring = first.end_lineno - first.lineno + 1 if documented else 0
    return function.end_lineno - function.lineno + 1 - docstring


def test_functions_stay_short():
    long = {
        f"{module}:{node.lineno} {node.name}": code_lines(node)
        for module in MODULES
        for node in ast.walk(syntax(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and code_lines(node) >= 40
    }
    assert not long, "a function has fewer than 40 lines"


def test_every_module_says_what_it_is():
    silent = [str(module) for module in MODULES if not ast.get_docstring(syntax(module))]
    assert not silent


def test_no_state_at_module_level():
    """A container bound to a lower-case name is meant to change; constants are upper-case."""
    containers = (ast.Dict, ast.List, ast.Set, ast.DictComp, ast.ListComp, ast.SetComp)
    changing = [
        f"{module}:{node.lineno} {target.id}"
        for module in MODULES
        for node in syntax(module).body
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, containers)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name) and not target.id.isupper() and not target.id.startswith("__")
    ]
    assert not changing


# -------------------------------------------------------------------------------------------------------------- import
def test_the_command_line_imports_nothing_heavy():
    ask = "import sys, navigation.cli; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    answer = subprocess.run([sys.executable, "-c", ask], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert not (HEAVY | {"scipy"}) & set(answer.stdout.split())


def copy_packages(folder: Path) -> None:
    for package in PACKAGES:
        shutil.copytree(REPOSITORY / package, folder / package, ignore=shutil.ignore_patterns("weights", "unity"))
    shutil.copy(REPOSITORY / "pyproject.toml", folder)


def lint_imports(folder: Path, contract: str) -> subprocess.CompletedProcess[str]:
    lint = Path(sys.executable).parent / "lint-imports"
    command = [sys.executable, str(lint), "--contract", contract, "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("where", "what", "contract"),
    [
        ("geometry/frames.py", "import navigation.clock", "floors"),
        ("registration/errors.py", "import reconstruction.errors", "floors"),
        ("case/folder.py", "import reconstruction.ct.read", "floors"),
        ("case/manifest.py", "import case.case", "rooms-of-case"),
        ("calibration/errors.py", "import calibration.pivot.pivot", "rooms-of-calibration"),
        ("reconstruction/ct/scan.py", "import reconstruction.labels.grid", "rooms-of-reconstruction"),
        ("registration/surface/icp.py", "import registration.verdict.verdict", "rooms-of-registration"),
        ("registration/landmarks/fit.py", "import case.case", "science-without-case"),
        ("unity_bridge/poses/batch.py", "import unity_bridge.surfaces.payload", "rooms-of-unity-bridge"),
        ("navigation/live/pose_graph.py", "import navigation.commands.serve", "rooms-of-navigation"),
        ("calibration/pivot/pivot.py", "import threading", "no-threads"),
        ("navigation/clock.py", "import navigation.simulation.patient", "simulation"),
    ],
)
def test_each_layer_contract_can_break(tmp_path: Path, where: str, what: str, contract: str):
    copy_packages(tmp_path)
    with (tmp_path / where).open("a") as file:
        file.write(f"\n{what}\n")
    result = lint_imports(tmp_path, contract)
    assert result.returncode == 1
    assert "0 kept, 1 broken" in result.stdout, result.stdout + result.stderr


@pytest.mark.parametrize("package", [package for package in PACKAGES if package not in ("geometry", "surgnav")])
def test_a_room_without_a_place_among_the_layers_is_noticed(tmp_path: Path, package: str):
    copy_packages(tmp_path)
    (tmp_path / package / "attic").mkdir()
    (tmp_path / package / "attic" / "__init__.py").write_text('"""Nobody said where this belongs."""\n')
    result = lint_imports(tmp_path, f"rooms-of-{package.replace('_', '-')}")
    assert result.returncode == 1
    assert "attic" in result.stdout, result.stdout + result.stderr


def test_every_package_has_its_floor():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]
    floors = next(contract for contract in settings["contracts"] if contract["id"] == "floors")
    placed = {package for floor in floors["layers"] for package in floor.split(" | ")}
    there = {path.parent.name for path in REPOSITORY.glob("*/__init__.py")} - {"tests", "scripts", "benchmarks"}
    assert placed == set(settings["root_packages"]) == set(PACKAGES) == there


# -------------------------------------------------------------------------------------------------------- dependencies
def test_every_dependency_is_a_tried_range():
    for requirement in requirements():
        operators = {specifier.operator for specifier in requirement.specifier}
        assert "~=" in operators or {">=", "<"} <= operators, f"{requirement} needs a lower and an upper bound"


def test_the_lock_holds_each_dependency_within_its_range():
    locked = read_lock(REPOSITORY / "requirements.lock")
    for requirement in requirements():
        version = locked.get(canonicalize_name(requirement.name))
        assert version is not None, f"{requirement.name} is not locked"
        assert version in requirement.specifier, f"{requirement} does not allow the locked {version}"


def test_the_lock_holds_what_is_needed_and_nothing_else():
    needed = {"setuptools"}  # builds surgnav itself
    to_visit = [requirement.name for requirement in requirements()] + ["setuptools"]
    while to_visit:
        for line in metadata.distribution(to_visit.pop()).requires or []:
            requirement = Requirement(line)
            name = canonicalize_name(requirement.name)
            wanted = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
            if wanted and name not in needed and not name.startswith(("nvidia-", "cuda-", "triton")):
                needed.add(name)
                to_visit.append(name)
    needed |= {canonicalize_name(requirement.name) for requirement in requirements()}
    assert set(read_lock(REPOSITORY / "requirements.lock")) == needed


def test_packages_of_extras_are_imported_where_their_absence_is_told():
    """Inside `from_extra`, with an extra that brings them; or tried, where another engine would do."""
    silent = [
        f"{module}:{node.lineno} {package}"
        for module in MODULES
        for node, extras in imports_and_extras(syntax(module))
        for name in imported_names(node)
        if (package := name.partition(".")[0]) in set().union(*EXTRAS.values())
        if not any(package in EXTRAS.get(extra, (package,)) for extra in extras)
    ]
    assert not silent


def imports_and_extras(tree: ast.AST, extras: tuple[str, ...] = ()) -> Iterator[tuple[ast.AST, tuple[str, ...]]]:
    """Each import, with the extras of the `from_extra` that it stands in; "" for a try, or for types alone."""
    for node in ast.iter_child_nodes(tree):
        inner = extras
        if isinstance(node, ast.With):
            calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
            inner += tuple(ast.literal_eval(call.args[0]) for call in calls if ast.unparse(call.func) == "from_extra")
        elif (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING") or (
            isinstance(node, ast.Try) and "ImportError" in [ast.unparse(one.type or one) for one in node.handlers]
        ):
            inner += ("",)
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, inner
        yield from imports_and_extras(node, inner)


def test_every_dependency_is_imported_somewhere():
    distributions = metadata.packages_distributions()
    imported = {
        canonicalize_name(distribution)
        for module in MODULES
        for node in ast.walk(syntax(module))
        for name in imported_names(node)
        for distribution in distributions.get(name.partition(".")[0], [])
    }
    dev = {canonicalize_name(Requirement(line).name) for line in project()["optional-dependencies"]["dev"]}
    declared = {canonicalize_name(requirement.name) for requirement in requirements()} - dev
    assert declared - imported == set(), "declared, but nothing imports it"
    ours = {"surgnav"}
    assert imported - declared - ours == set(), "imported, but only there by chance"


def imported_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.level == 0:
        return [node.module or ""]
    return []


def test_the_python_series_is_the_same_everywhere():
    series = ".".join(map(str, _SUPPORTED_PYTHON))
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    script = (REPOSITORY / "scripts" / "setup").read_text()
    assert settings["project"]["requires-python"].startswith(f">={series},<")
    assert settings["tool"]["mypy"]["python_version"] == series
    assert settings["tool"]["ruff"]["target-version"] == f"py{series.replace('.', '')}"
    assert re.search(r"^NEEDED_PYTHON=(\S+)", script, re.MULTILINE)[1] == series


# --------------------------------------------------------------------------------------------------------------- tests
@pytest.mark.parametrize(("ci", "outcome"), [("", "1 skipped"), ("true", "1 error")])
def test_absent_data_is_skipped_with_the_reason_but_never_in_ci(tmp_path: Path, ci: str, outcome: str):
    shutil.copy(REPOSITORY / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_data.py").write_text("def test_needs_data(shared_data):\n    pass\n")
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:dash", "-p", "no:cacheprovider", str(tmp_path)]
    environment = {"CI": ci, "SURGNAV_DATA": str(tmp_path / "away"), "PATH": ""}
    result = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert outcome in result.stdout, result.stdout + result.stderr
    assert "set SURGNAV_DATA" in result.stdout


# ---------------------------------------------------------------------------------------------------------- repository
def test_nothing_names_a_machine():
    """No path that exists on one machine only, and no private network."""
    machine = re.compile(r"(?<![\w.:/-])/(?:work|root|home|opt|Users)/\w+|\.(?:internal|corp|lan)\b(?!\()")
    named = [
        f"{path.relative_to(REPOSITORY)}: {match[0]}"
        for path in tracked_files()
        if path.suffix in {".py", ".toml", ".md", ".lock", ".json", ".cs", ".yaml", ""}
        for match in machine.finditer(path.read_text("utf-8", errors="ignore"))
    ]
    assert not named


def test_nothing_large_is_committed():
    large = [str(path) for path in tracked_files() if path.stat().st_size > 20 * 1024**2]
    assert not large


def test_links_in_the_documents_lead_somewhere():
    broken = [
        f"{path.relative_to(REPOSITORY)} -> {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", path.read_text("utf-8"))
        if not (path.parent / target).exists()
    ]
    assert not broken


def test_make_targets_in_the_documents_exist():
    targets = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    unknown = {
        f"{path.relative_to(REPOSITORY)}: make {target}"
        for path in tracked_files()
        if path.suffix == ".md"
        for target in re.findall(r"(?:^|`)\s*make ([a-z-]+)", path.read_text("utf-8"), re.MULTILINE)
        if target not in targets
    }
    assert not unknown
