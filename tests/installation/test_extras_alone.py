"""Each workshop with its own extra and no other: its modules, its packages, its examples."""

import ast
import contextlib
import itertools
import re
import socket
import subprocess
from pathlib import Path

import numpy as np
import pytest

from geometry.extras import EXTRAS
from tests.house import PACKAGES
from tests.installation.harness import distributions_of

IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(len([name for name in sys.modules if name.split(".")[0] in sys.argv[1:]]))
"""


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_imports_with_the_base_alone(environment, tmp_path: Path, repository: Path, package: str):
    """More than with the package's own extra: whatever an extra brings is imported when it is used."""
    done = environment().run("-c", IMPORT_ALL, package, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    modules = [path for path in (repository / package).rglob("*.py") if path.name != "__main__.py"]
    assert int(done.stdout) == len(modules)


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_brings_its_packages_and_all_that_they_need(environment, tmp_path: Path, extra: str):
    ask = "import sys, geometry.extras as e; [__import__(name) for name in e.EXTRAS[sys.argv[1]]]; "
    ask += "e.require_extras(sys.argv[1]); print(*[other for other in e.EXTRAS if e.missing_packages(other)])"
    done = environment(extra).run("-c", ask, extra, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    brought = distributions_of((extra,))
    others = [other for other in EXTRAS if not distributions_of((other,)) <= brought]
    assert done.stdout.split() == others


# ------------------------------------------------------------------------------------------------------------- examples
@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A copy, away from the checkout: nothing is found there by chance."""
    folder = tmp_path_factory.mktemp("examples")
    for path in (repository / "examples").rglob("*"):
        if path.is_file():
            (folder / path.relative_to(repository / "examples")).parent.mkdir(parents=True, exist_ok=True)
            (folder / path.relative_to(repository / "examples")).write_bytes(path.read_bytes())
    return folder


def needed_by(example: Path) -> tuple[str, ...]:
    """The extras that an example says it needs; none for the base."""
    said = re.search(r"^Needs: pip install (?:surgnav|'surgnav\[(.+)\]')\.", example.read_text(), re.MULTILINE)
    assert said is not None, example.name
    return tuple(said[1].split(",")) if said[1] else ()


def run(environment, examples: Path, name: str, *arguments: object) -> str:
    done = environment(*needed_by(examples / name)).run(name, *map(str, arguments), cwd=examples)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def phantom(environment, examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phantom")
    run(environment, examples, "make_phantom.py", folder)
    return folder


def test_an_example_is_short_and_says_what_it_needs(repository: Path):
    examples = sorted((repository / "examples").glob("*.py"))
    assert len(examples) >= 7
    for example in examples:
        body = ast.parse(example.read_text()).body[1:]
        assert 5 <= body[-1].end_lineno - body[0].lineno + 1 <= 30, example.name
        assert needed_by(example) == () or set(needed_by(example)) <= set(EXTRAS)


def test_pivot_from_csv(environment, examples: Path):
    said = run(environment, examples, "pivot_from_csv.py")
    tip = np.array(said.split("[")[1].split("]")[0].split(), float)
    assert np.linalg.norm(tip - [-18.4, 1.2, -157.6]) < 0.3  # the truth, in examples/data/README.md
    assert "90 poses used, 0 rejected" in said


def test_register_points(environment, examples: Path):
    said = run(environment, examples, "register_points.py")
    assert "at the target expect" in said
    assert 0.5 < float(said.split("expect ")[1].split()[0]) < 2.0


def test_ct_to_stl(environment, examples: Path, phantom: Path, tmp_path: Path):
    said = run(environment, examples, "ct_to_stl.py", phantom / "ct.nii.gz", tmp_path / "bone.stl")
    assert "watertight: True" in said
    assert (tmp_path / "bone.stl").stat().st_size > 1_000_000


def test_labels_to_glb(environment, examples: Path, phantom: Path, tmp_path: Path):
    ct, labels, names = phantom / "ct.nii.gz", phantom / "labels.nii.gz", examples / "data" / "label_names.csv"
    run(environment, examples, "labels_to_glb.py", ct, labels, names, tmp_path / "glb")
    assert {path.stem for path in (tmp_path / "glb").iterdir()} == {"body", "bone", "liver", "lung"}


def first_of_three_free_ports() -> int:
    for port in range(15570, 25570, 10):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for offset in range(3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port + offset))
            return port
    pytest.fail("no three free ports")


def test_serve_case_and_headset(environment, examples: Path, phantom: Path):
    port = str(first_of_three_free_ports())
    serving = environment(*needed_by(examples / "serve_case.py"))
    command = [str(serving.python), "-u", "serve_case.py", str(phantom / "case"), "250", port]
    with subprocess.Popen(command, cwd=examples, env=serving.variables, stdout=subprocess.PIPE, text=True) as server:
        try:
            heard = list(itertools.takewhile(lambda line: f"poses tcp://127.0.0.1:{port}" not in line, server.stdout))
            assert server.poll() is None, heard
            said = run(environment, examples, "headset.py", port)
        finally:
            server.terminate()
    assert "surface body:" in said
    assert "stylus: valid" in said
