"""The whole path, as ``surgnav demo --offline`` runs it: the README's promise on the phantom, without a download."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from case.case import Case
from registration.record.in_force import in_force
from tests.end_to_end.program import surgnav


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str, Path]:
    """The demo's JSON, its screen, and its folder."""
    out = tmp_path_factory.mktemp("demo")
    run = surgnav("demo", "--offline", "--seed", 3, "--out", out, "--json", out / "demo.json", "--stream-s", 6)
    data = json.loads((out / "demo.json").read_text("utf-8"))
    # On a machine that is busy beyond measure poses may be too old to be shown; then it must say that it failed.
    assert run.returncode == (1 if data["stream"]["too_old"] else 0), run.stderr + run.stdout
    assert data["stream"]["too_old"] in " ".join(run.stderr.split())
    return data, run.stdout, out


def test_it_says_which_ct_was_used_and_how_good_it_is(demo: tuple[dict[str, Any], str, Path]) -> None:
    data, screen, _ = demo
    assert data["seed"] == 3
    assert "phantom" in data["ct"]["source"]
    assert "phantom" in screen
    assert data["ct"]["verdict"] == "usable"
    assert not data["ct"]["seen_in_training"]
    assert "not a medical device" in screen


def test_the_structures_are_there_closed_and_of_plausible_size(demo: tuple[dict[str, Any], str, Path]) -> None:
    structures = demo[0]["structures"]
    assert {"body", "bone", "lung"} <= set(structures)
    for structure in structures.values():
        assert structure["watertight"]
    # The phantom's body fills some 18 litres of its scan; the network must not lose or invent a quarter of it.
    assert structures["body"]["volume_ml"] == pytest.approx(18_000, rel=0.25)


def test_the_target_error_is_under_the_bar_and_the_expected_one_is_stated(
    demo: tuple[dict[str, Any], str, Path],
) -> None:
    registration = demo[0]["registration"]
    assert registration["converged"]
    assert registration["fre_rms_mm"] > 0.0
    assert registration["verdict"] == {"level": "accept", "reasons": []}
    for target in registration["tre_mm"].values():
        assert target["true"] < 1.5
        assert 0.0 < target["expected"] < target["expected_p95"]


def test_every_pose_arrives_and_is_right_and_the_surfaces_are_the_same(demo: tuple[dict[str, Any], str, Path]) -> None:
    stream = demo[0]["stream"]
    assert stream["poses_lost"] == 0
    assert stream["poses_wrong"] == 0
    assert stream["motion"]["predicted_rms_mm"] > 0.0
    # Six seconds at 100 Hz: every frame was sent to the client and checked, or dropped and counted.
    assert stream["poses_checked"] == 6 * stream["batches"]
    assert stream["batches"] + stream["frames_dropped"] > 500
    if stream["frames_dropped"] < 0.2 * stream["batches"]:  # else the machine is busy
        assert stream["rate_hz"] == pytest.approx(100.0, abs=0.5)
    assert stream["surfaces_identical"] is True
    assert stream["valid_too_old"] == 0
    assert 0 < stream["valid_age_ms"]["p50"] <= stream["valid_age_ms"]["p99"] <= stream["valid_age_ms"]["max"] <= 100.0
    assert stream["frames_dropped"] >= 0
    assert all(0.0 < share < 1.0 - stream["too_old_share"] for share in stream["valid_share"].values())
    assert 0 < stream["latency_ms"]["p50"] <= stream["latency_ms"]["p99"] <= stream["latency_ms"]["p999"]
    # Someone stands before the reference for 0.3 s: then everything is hidden.
    assert all(0.0 < share < 0.6 + stream["too_old_share"] for share in stream["hidden_share"].values())


def test_the_case_holds_everything_and_nothing_is_stale(demo: tuple[dict[str, Any], str, Path]) -> None:
    data, _, out = demo
    case = Case.open(out / "case")
    assert set(case.structures()) == set(data["structures"])
    assert not case.stale()
    assert not case.verify()
    assert len(case.approved_surfaces()) == len(case.structures())
    assert {a.kind for a in case.artefacts} >= {"ct", "labels", "probability", "surface", "landmarks", "registration"}
    assert set(case.read_markups("targets").points_ct_mm) == set(data["registration"]["tre_mm"])
    registered = in_force(case)
    assert (registered.registration_id, registered.level) == ("r-0001", "accept")
    expected = {target["expected_p95"] for target in data["registration"]["tre_mm"].values()}
    assert registered.expected_error_mm == max(expected)


def test_pictures_are_drawn(demo: tuple[dict[str, Any], str, Path]) -> None:
    for name in ("slices.png", "residuals.png", "scene.png"):
        picture = demo[2] / name
        assert picture.read_bytes().startswith(b"\x89PNG"), name
        assert picture.stat().st_size > 50_000, name


def test_a_folder_that_is_no_demo_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "case").mkdir()
    precious = tmp_path / "case" / "notes.txt"
    precious.write_text("mine")
    run = surgnav("demo", "--offline", "--out", tmp_path)
    assert run.returncode == 1
    assert "choose another --out" in run.stderr
    assert precious.read_text() == "mine"
