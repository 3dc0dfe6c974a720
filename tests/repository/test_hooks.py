"""The hooks of pre-commit are the tools of .venv, and notice what they are for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(sys.executable).parent


@pytest.fixture
def checkout(tmp_path: Path, repository: Path) -> Path:
    """A small repository with our hooks and settings, and this environment as its .venv."""
    for name in (".pre-commit-config.yaml", "pyproject.toml"):
        (tmp_path / name).write_text((repository / name).read_text("utf-8"))
    (tmp_path / ".venv").symlink_to(TOOLS.parent)
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    return tmp_path


def run_hooks(checkout: Path, text: str) -> subprocess.CompletedProcess[str]:
    (checkout / "module.py").write_text(text)
    subprocess.run(["git", "add", "module.py", ".pre-commit-config.yaml"], cwd=checkout, check=True)
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    environment = {**os.environ, "PRE_COMMIT_HOME": str(checkout / "cache")}
    return subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("text", "failed"),
    [
        ('"""Good."""\n', []),
        ('"""Style."""\n\nimport os\n', ["style"]),
        ('"""Format."""\nnumber   =  1\n', ["format"]),
    ],
)
def test_the_hooks_run_and_notice(checkout: Path, text: str, failed: list[str]):
    result = run_hooks(checkout, text)
    said = result.stdout + result.stderr
    assert result.returncode == bool(failed), said
    assert [line.partition(".")[0] for line in said.splitlines() if line.endswith("Failed")] == failed, said
    assert said.count("Passed") == 2 - len(failed), said
