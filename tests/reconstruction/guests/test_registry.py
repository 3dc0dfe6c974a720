"""The networks that a person has added: described by hash, found by name, and never under another's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconstruction.guests.errors import ModelError
from reconstruction.guests.kinds import combined_sha256, why_not_here
from reconstruction.guests.registry import Registry
from tests.reconstruction.guests.bundles import write_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("bundle") / "Tiny CT")


def test_what_was_added_is_found_again(bundle: Path, tmp_path: Path):
    registry = Registry(tmp_path / "models")
    assert registry.cards() == ()
    added = registry.add(bundle)
    registry.add(bundle, "Zweites Netz", trusted=True)
    assert [card.name for card in registry.cards()] == ["tiny_ct", "zweites_netz"]
    assert registry.card("Tiny CT") == added
    assert [card.trusted for card in registry.cards()] == [False, True]
    assert combined_sha256(added) == combined_sha256(registry.card("zweites_netz"))
    assert {path.name for path in (tmp_path / "models").iterdir()} == {"tiny_ct.json", "zweites_netz.json"}


def test_names_that_are_taken_or_empty_and_unknown_ones_are_refused(bundle: Path, tmp_path: Path):
    registry = Registry(tmp_path, ("ours",))
    for name in ("ours", "Ours", "///", "肝"):
        with pytest.raises(ModelError, match="the name"):
            registry.add(bundle, name)
    with pytest.raises(ModelError, match=r"the network 'missing'.*ours"):
        registry.card("missing")
    with pytest.raises(ModelError, match="the network"):
        registry.card("../../etc/passwd")
    with pytest.raises(ModelError, match="no network that this program knows"):
        registry.add(tmp_path, "folder")
    with pytest.raises(ModelError, match="does not exist"):
        registry.add(tmp_path / "nowhere")


def test_descriptions_that_are_broken_or_of_another_version_are_refused(bundle: Path, tmp_path: Path):
    registry = Registry(tmp_path)
    registry.add(bundle, "tiny")
    path = tmp_path / "tiny.json"
    whole = json.loads(path.read_text())
    for wrong in (whole | {"version": 2}, whole | {"colour": "red"}, whole | {"kind": "other"}, {"schema": "x"}):
        path.write_text(json.dumps(wrong))
        with pytest.raises(ModelError, match=r"description|describes"):
            registry.card("tiny")
    path.write_text("{")
    with pytest.raises(ModelError, match="cannot be read"):
        registry.cards()


def test_why_a_network_does_not_run_here(tmp_path: Path):
    folder = write_bundle(tmp_path / "tiny")
    card = Registry(tmp_path / "models").add(folder)
    assert why_not_here(card) == ""
    (folder / "models" / "model.pt").write_bytes(b"other")
    assert "have changed" in why_not_here(card)
    (folder / "models" / "model.pt").unlink()
    assert "cannot be read" in why_not_here(card)
