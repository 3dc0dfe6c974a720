"""A registration that is old, or of another reference or stylus, or of which that is not known, is doubted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from geometry import Transform
from geometry.frames import REFERENCE, STYLUS
from navigation.devices.driver import Device, Role, RoomFile, Settings, Stamps, Tool
from navigation.live.pose_graph import PATIENT, CalibratedTip, PoseGraph
from navigation.live.watches.registered import OLDEST, RegistrationWatch
from navigation.room.instruments import instruments_of
from registration.record.accepted import AcceptedRegistration, Evidence, Instruments
from unity_bridge.wire.envelope import Validity

NOW = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
S = 1_000_000_000


class Marker(Settings):
    rom: RoomFile


def device(folder: Path, name: str = "camera", geometry: str = "three spheres") -> Device:
    (folder / "reference.rom").write_text(geometry)
    settings = Marker.model_construct(rom=folder / "reference.rom")
    reference = Tool(name=REFERENCE, role=Role.REFERENCE, id="1", settings=settings)
    stylus = Tool(name=STYLUS, role=Role.STYLUS, id="2", settings=None)
    return Device(name=name, driver="ndi", settings=None, stamps=Stamps(None), tools=(reference, stylus))


def tip_at(x_mm: float = 0.0) -> CalibratedTip:
    matrix = np.eye(4)
    matrix[:3, 3] = [x_mm, -150.0, 0.0]
    return CalibratedTip(Transform(matrix, STYLUS, "stylus_tip"), 0.3)


def graph(evidence: Evidence | None, tip: CalibratedTip | None = None) -> PoseGraph:
    registration = AcceptedRegistration(
        Transform(np.eye(4), REFERENCE, "ct"), "r", 1.0, "accept", "Dr", evidence=evidence
    )
    return PoseGraph({STYLUS: tip or tip_at()}, registration)


def measured(of: Device, ago: timedelta = timedelta(hours=1)) -> Evidence:
    tip = tip_at()
    return Evidence((NOW - ago).isoformat(), instruments_of([of], STYLUS, tip.T_tool_tip, tip.expected_error_mm))


def why(of: Device, registered: PoseGraph, now_ns: int = 0) -> str:
    doubts = RegistrationWatch([of], registered, NOW).doubts(now_ns)
    assert all(doubt.validity is Validity.SUSPECT for doubt in doubts.values())
    assert doubts.keys() <= {PATIENT}
    return doubts[PATIENT].reason if doubts else ""


def test_a_registration_of_today_with_the_same_reference_and_stylus_is_believed(tmp_path: Path) -> None:
    room = device(tmp_path)
    assert why(room, graph(measured(room))) == ""
    assert why(room, PoseGraph()) == "", "without one the patient is lost, which is worse"


@pytest.mark.parametrize(
    ("ago", "words"),
    [
        (OLDEST + timedelta(hours=3), "27 hours ago"),
        (timedelta(hours=-2), "a clock is or was wrong"),
        (OLDEST - timedelta(minutes=1), ""),
        (timedelta(minutes=-1), ""),
    ],
)
def test_it_is_doubted_after_a_day_or_from_the_future(tmp_path: Path, ago: timedelta, words: str) -> None:
    room = device(tmp_path)
    said = why(room, graph(measured(room, ago)))
    assert words in said
    assert bool(words) == bool(said)


def test_it_grows_old_while_the_room_runs(tmp_path: Path) -> None:
    room = device(tmp_path)
    watch = RegistrationWatch([room], graph(measured(room, OLDEST - timedelta(minutes=1))), NOW)
    assert watch.doubts(5 * S) == {}
    assert watch.doubts(50 * S) == {}
    assert "24 hours ago" in watch.doubts(80 * S)[PATIENT].reason


def test_a_marker_of_another_geometry_device_or_tip_is_another_tool(tmp_path: Path) -> None:
    before = measured(device(tmp_path))
    other = device(tmp_path, geometry="four spheres")
    assert "with a reference a marker of another geometry" in why(other, graph(before))
    assert "seen by camera (ndi), and is seen by lamp (ndi) now" in why(device(tmp_path, "lamp"), graph(before))
    room = device(tmp_path)
    assert why(room, graph(before, tip_at(0.5))) == "", "a pivot that gives the tip again within its error"
    assert "the tip of 'stylus' is 3.0 mm from where it was then" in why(room, graph(before, tip_at(3.0)))
    without = replace(room, tools=room.tools[:1])
    assert why(without, graph(before)) == "", "a stylus that is not here shows nothing wrongly"


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (None, "it is not known when and with what"),
        (Evidence(NOW.isoformat(), Instruments()), "it is not known with which reference"),
        (Evidence("yesterday", Instruments()), "it is not known when it was measured: 'yesterday'"),
        (Evidence("2026-11-27T11:00:00", Instruments()), "it is not known when it was measured"),
    ],
)
def test_what_nobody_knows_is_said_and_must_be_confirmed(tmp_path: Path, evidence: Evidence | None, words: str) -> None:
    said = why(device(tmp_path), graph(evidence))
    assert words in said
    assert said.endswith("verify the registration with a touch, or register anew")


def test_new_evidence_settles_it_and_the_same_again_does_not(tmp_path: Path) -> None:
    room = device(tmp_path)
    unknown = graph(Evidence(NOW.isoformat()))
    watch = RegistrationWatch([room], unknown, NOW)
    assert PATIENT in watch.doubts(0)
    watch.follow(unknown)
    assert PATIENT in watch.doubts(1)
    watch.follow(graph(measured(room)))
    assert watch.doubts(2) == {}
