"""One version, said the same by the package, the changelog, the citation and the tag."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from datetime import date
from pathlib import Path

import pytest

RELEASE = re.compile(r"^## \[(?P<version>\d+\.\d+\.\d+)\] - (?P<day>\d{4}-\d{2}-\d{2})$", re.MULTILINE)
ALLOWED_KEYS = {
    "cff-version",
    "message",
    "type",
    "title",
    "abstract",
    "authors",
    "version",
    "date-released",
    "license",
} | {"keywords"}


def packaged(repository: Path) -> dict:
    return tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]


def releases(repository: Path) -> list[tuple[str, date]]:
    """Newest first."""
    text = (repository / "CHANGELOG.md").read_text("utf-8")
    return [(found["version"], date.fromisoformat(found["day"])) for found in RELEASE.finditer(text)]


def citation(repository: Path) -> dict[str, str]:
    """The top level of CITATION.cff. Values of several lines are empty here."""
    lines = (repository / "CITATION.cff").read_text("utf-8").splitlines()
    return dict(re.match(r"([\w-]+):\s*(.*)", line).groups() for line in lines if line[:1].strip())


def ordered(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def test_package_changelog_and_citation_say_the_same(repository: Path):
    version, day = releases(repository)[0]
    cited = citation(repository)
    assert packaged(repository)["version"] == version == cited["version"]
    assert cited["date-released"] == day.isoformat()
    assert cited["title"].lower() == packaged(repository)["name"]
    assert cited["license"] == packaged(repository)["license"]


def test_the_citation_has_what_the_format_asks_for_and_no_other_key(repository: Path):
    cited = citation(repository)
    assert {"cff-version", "message", "title", "authors"} <= set(cited) <= ALLOWED_KEYS
    assert cited["cff-version"] == "1.2.0"


def test_the_changelog_goes_back_in_time(repository: Path):
    listed = releases(repository)
    assert listed == sorted(listed, key=lambda release: (ordered(release[0]), release[1]), reverse=True)
    assert "\n## [Unreleased]\n" in (repository / "CHANGELOG.md").read_text("utf-8"), "where the next line goes"


def git(repository: Path, *arguments: str) -> str:
    if shutil.which("git") is None or not (repository / ".git").exists():
        pytest.skip("no git checkout: tags are unknown")
    command = ["git", *arguments]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True).stdout


def test_a_tagged_commit_is_the_version_that_it_says(repository: Path):
    tags = git(repository, "tag", "--list", "v[0-9]*", "--points-at", "HEAD").split()
    assert tags in ([], [f"v{packaged(repository)['version']}"])


def test_every_tag_of_a_version_is_in_the_changelog(repository: Path):
    tags = git(repository, "tag", "--list", "v[0-9]*", "--merged", "HEAD").split()
    assert {tag.removeprefix("v") for tag in tags} <= {version for version, _ in releases(repository)}
