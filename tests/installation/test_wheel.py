"""The wheel: what is in it, and that it works outside the checkout with the base alone."""

import json
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from tests.house import PACKAGES


@pytest.fixture(scope="module")
def names(wheel: Path) -> list[str]:
    return zipfile.ZipFile(wheel).namelist()


def test_it_carries_every_module_and_nothing_of_unity_or_the_tests(names: list[str], repository: Path):
    assert {name.split("/")[0] for name in names if ".dist-info" not in name} == set(PACKAGES)
    assert not [name for name in names if "/unity/" in name or name.endswith((".cs", ".meta", ".asmdef", ".asset"))]
    modules = {
        str(path.relative_to(repository)) for package in PACKAGES for path in (repository / package).rglob("*.py")
    }
    assert {name for name in names if name.endswith(".py")} == modules


def test_it_carries_types_stubs_and_data(names: list[str], repository: Path):
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    wanted = [
        str(path.relative_to(repository))
        for package in PACKAGES
        for path in (repository / package).rglob("*")
        if path.suffix in {".pyi", ".toml", ".onnx"} or path.name == "MODEL_CARD.md"
        if "unity" not in path.parts
    ]
    assert "unity_bridge/wire/wire_schema.toml" in wanted
    assert "reconstruction/network/weights/MODEL_CARD.md" in wanted
    assert set(wanted) <= set(names)


def test_its_metadata_says_what_it_is(wheel: Path, names: list[str]):
    (file,) = [name for name in names if name.endswith(".dist-info/METADATA")]
    said = Parser().parsestr(zipfile.ZipFile(wheel).read(file).decode())
    assert said["License-Expression"] == "Apache-2.0"
    assert "Typing :: Typed" in said.get_all("Classifier")
    assert {"registration", "reconstruction", "all"} <= set(said.get_all("Provides-Extra"))


# ------------------------------------------------------------------------------------------------------------ installed
def test_the_command_line_works_with_the_base_alone(environment, tmp_path: Path):
    surgnav = environment().folder / "bin" / "surgnav"
    shown = environment().run(surgnav, "--help", cwd=tmp_path)
    assert shown.returncode == 0, shown.stderr
    assert "reconstruct" in shown.stdout


def test_the_doctor_says_which_extras_are_there(environment, tmp_path: Path):
    surgnav = environment().folder / "bin" / "surgnav"
    environment().run(surgnav, "doctor", "--json", "doctor.json", cwd=tmp_path)
    findings = {finding["name"]: finding for finding in json.loads((tmp_path / "doctor.json").read_text())["findings"]}
    assert not [name for name, finding in findings.items() if finding["group"] == "broken"]
    assert set(findings["extras"]["values"].values()) == {0}
    assert findings["libraries"]["status"] == "ok"
    assert findings["engines"]["action"] == "pip install 'surgnav[segmentation]'"
    assert findings["rendering"]["action"] == "pip install 'surgnav[pictures]'"


def test_a_command_without_its_extra_says_which(environment, repository: Path, tmp_path: Path):
    surgnav = environment().folder / "bin" / "surgnav"
    (tmp_path / "ct.nii").write_bytes(bytes(400))
    asked = environment().run(surgnav, "inspect", "ct.nii", cwd=tmp_path)
    assert asked.returncode == 1
    assert "MissingExtraError: got no package nibabel" in asked.stdout + asked.stderr
    assert "pip install 'surgnav[reconstruction]'" in asked.stdout + asked.stderr
    asked = environment().run(surgnav, "demo", "--offline", cwd=tmp_path)
    assert asked.returncode == 1
    assert "surgnav[registration,reconstruction,segmentation,pictures]" in asked.stdout + asked.stderr
    assert "Traceback" not in asked.stderr
