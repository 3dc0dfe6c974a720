"""The whole demo with the Unity package's client as the headset: the same verdict as with the Python client."""

from __future__ import annotations

import json

import pytest

from navigation.demo.headset_program import Headset
from tests.end_to_end.program import surgnav


@pytest.mark.slow
@pytest.mark.parametrize("client", [Headset.CSHARP, Headset.CSHARP_MONO])
def test_the_csharp_client_is_told_and_shows_the_same(client, tmp_path):
    options = ["--client", client, "--out", tmp_path, "--json", tmp_path / "demo.json"]
    run = surgnav("demo", "--offline", "--seed", 3, "--stream-s", 6, *options)
    data = json.loads((tmp_path / "demo.json").read_text("utf-8"))
    stream = data["stream"]
    assert run.returncode == (1 if stream["too_old"] else 0), run.stderr + run.stdout
    assert stream["valid_too_old"] == 0
    assert 0.0 < stream["valid_age_ms"]["max"] <= 100.0
    assert stream["client"] == client
    assert data["registration"]["verdict"] == {"level": "accept", "reasons": []}
    assert (stream["poses_lost"], stream["poses_wrong"]) == (0, 0)
    assert stream["batches"] + stream["frames_dropped"] > 500
    assert stream["surfaces_identical"] is True
    assert all(0.0 < share < 0.6 + stream["too_old_share"] for share in stream["hidden_share"].values())
