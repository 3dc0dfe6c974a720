"""The API pages are made from the docstrings, and no reference in them leads nowhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from scripts.docs.pages import PACKAGES, public_modules, write_pages


def test_every_public_module_has_its_page_and_every_reference_leads_somewhere(tmp_path: Path, repository: Path):
    modules = public_modules(repository)
    assert {module.partition(".")[0] for module in modules} == set(PACKAGES)
    assert write_pages(modules, tmp_path) == []
    assert [module for module in modules if not (tmp_path / f"{module.replace('.', '/')}.html").is_file()] == []
    package = (tmp_path / "registration.html").read_text("utf-8")
    assert 'href="registration/surface.html"' in package, "the package's page lists its modules"
    assert "Expected TRE" in package or "expected_tre" in package


def test_a_reference_that_leads_nowhere_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "lost_page.py").write_text('"""See `geometry.no_such_room.thing` and `geometry.frames`."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    try:
        problems = write_pages(["lost_page", "geometry.frames"], tmp_path / "pages")
    finally:
        sys.modules.pop("lost_page", None)
    assert problems == ["lost_page.html: geometry.no_such_room.thing"]
