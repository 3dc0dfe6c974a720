"""The unit of systemd and the container file name what is there, as far as that shows without a daemon."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from navigation.cli import app
from navigation.commands.serve.command import ServeRequest
from tests.conftest import REPOSITORY

DEPLOY = REPOSITORY / "docs" / "deploy"
UNIT, CONTAINER = (DEPLOY / "surgnav.service").read_text(), (DEPLOY / "Containerfile").read_text()
INSTRUCTIONS = {"FROM", "ARG", "RUN", "COPY", "USER", "WORKDIR", "VOLUME", "EXPOSE", "ENTRYPOINT", "CMD"}


def unit_values(name: str) -> list[str]:
    return re.findall(rf"^{name}=(.*)$", UNIT, re.MULTILINE)


def instructions() -> list[tuple[str, str]]:
    """Keyword and rest of each instruction, lines joined and comments left out."""
    text = re.sub(r"\\\n", " ", "\n".join(line for line in CONTAINER.splitlines() if not line.startswith("#")))
    return [tuple(line.split(maxsplit=1)) for line in text.splitlines() if line.strip()]  # type: ignore[misc]


def of(keyword: str) -> list[str]:
    return [rest for word, rest in instructions() if word == keyword]


def test_systemd_itself_finds_nothing_wrong(tmp_path: Path):
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here: scripts/setup tests brings it")
    # It asks whether the program can be run, which is elsewhere here than where the page installs it.
    unit = tmp_path / "surgnav.service"
    unit.write_text(UNIT.replace("/srv/surgnav/.venv/bin/surgnav", sys.executable))
    checked = subprocess.run([program, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    about_ours = [line for line in checked.stderr.splitlines() if "surgnav" in line]
    assert not about_ours, checked.stderr
    unit.write_text(unit.read_text().replace("LimitRTPRIO=20", "LimitRTPRIO=soon"))
    checked = subprocess.run([program, "verify", "--man=no", unit], capture_output=True, text=True, check=False)
    assert "ignoring: soon" in checked.stderr, "it checks what it is given"


def test_the_unit_asks_for_options_that_there_are():
    (line,) = unit_values("ExecStart")
    program, verb, *arguments = shlex.split(line)
    assert (Path(program).name, verb) == ("surgnav", "serve")
    known = {name for option in get_command(app).commands["serve"].params for name in option.opts}  # type: ignore[attr-defined]
    asked = [argument for argument in arguments if argument.startswith("--")]
    assert set(asked) <= known
    # What it writes is where systemd lets it.
    log = arguments[arguments.index("--log") + 1]
    assert log.startswith(f"/var/log/{unit_values('LogsDirectory')[0]}/")
    assert unit_values("KillSignal") == ["SIGINT"]
    assert unit_values("LimitRTPRIO") == ["20"]


def test_the_container_file_names_what_is_there():
    assert {word for word, _ in instructions()} == INSTRUCTIONS
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    (base,) = of("FROM")
    series = re.fullmatch(r"python:(\d\.\d+)-slim-\w+", base)
    assert series is not None
    assert project["requires-python"].startswith(f">={series[1]},")
    extras = of("ARG")[0].removeprefix("EXTRAS=").split(",")
    assert set(extras) <= set(project["optional-dependencies"])
    assert of("ENTRYPOINT") == [f'["{next(iter(project["scripts"]))}"]']
    assert of("EXPOSE")[0].split() == [str(port) for port in ServeRequest(case=Path()).ports]
    assert "/srv/surgnav/requirements.lock" in of("RUN")[1]
    assert (REPOSITORY / "requirements.lock").is_file()


def test_the_container_has_the_libraries_that_the_set_up_asks_for():
    setup = (REPOSITORY / "scripts" / "setup").read_text()
    needed = setup[setup.index("NEEDED = [") : setup.index("MONO =")]
    packages = set(re.findall(r'\), "([a-z0-9.+-]+)"\)', needed))
    assert len(packages) == 6
    installed = set(of("RUN")[0].partition("--no-install-recommends")[2].partition("&&")[0].split())
    assert installed == packages


def test_what_is_not_copied_is_not_needed():
    left_out = (DEPLOY / "Containerfile.dockerignore").read_text().split()
    assert not {"geometry", "navigation", "requirements.lock", "pyproject.toml", "README.md", "LICENSE"} & set(left_out)
