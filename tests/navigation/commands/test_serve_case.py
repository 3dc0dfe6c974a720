"""``surgnav serve`` and another terminal: a real service in its own process, the reference client over its sockets."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from navigation.cli import app
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.live.pose_graph import PATIENT
from tests.navigation.commands.register.harness import TARGETS, make_case
from tests.navigation.commands.serving import ADDRESSES, PATIENCE_S, Screen, case, serving  # noqa: F401 - a fixture
from unity_bridge.client.reference_client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.wire.envelope import Validity

CLOCK = MonotonicClock()


class Headset:
    """A client of the service, and what it was told."""

    def __init__(self, client: ReferenceClient) -> None:
        self.client = client
        self.told: dict[str, str] = {}

    def until(self, condition: Callable[[], bool]) -> None:
        deadline_ns = CLOCK.now_ns() + round(PATIENCE_S * NS_PER_S)
        while not condition():
            assert CLOCK.now_ns() < deadline_ns, self.told
            self.client.poll(5)
            for event in self.client.control.events.take_events():
                self.told[event.kind] = event.reason

    def until_told(self, *kinds: str) -> dict[str, str]:
        """Waits for events of these kinds since the last call; returns them with their reasons."""
        self.until(lambda: set(kinds) <= set(self.told))
        told, self.told = self.told, {}
        return told

    def surfaces(self) -> list[str]:
        return [entry.name for entry in self.client.surfaces.manifest.surfaces]

    def patient(self) -> Validity:
        return self.client.newest.tools[PATIENT].validity


@contextlib.contextmanager
def joined(screen: Screen) -> Iterator[Headset]:
    poses, surfaces, control = screen.wait_for(ADDRESSES.pattern).groups()
    endpoints = Endpoints(poses=poses, surfaces=surfaces, control=control)
    with ReferenceClient(endpoints, CLOCK, ClientSettings(name="headset")) as client:
        headset = Headset(client)
        headset.until(lambda: client.is_ready)
        yield headset


def review(case: Path, decision: str) -> None:  # noqa: F811
    arguments = [
        "review",
        str(case),
        "--structure",
        "body",
        "--decision",
        decision,
        "--person",
        "Dr Other",
        "--not-looked-at",
    ]
    assert CliRunner().invoke(app, arguments).exit_code == 0


def test_a_decision_in_another_terminal_reaches_the_headset_and_a_case_out_of_reach_ends_nothing(
    case: Path,  # noqa: F811
) -> None:
    manifest, away = case / "case.json", case / "away.json"
    with serving(case) as screen, joined(screen) as headset:
        screen.wait_for("'body': on offer, approved by Dr Test")
        headset.until(lambda: headset.surfaces() == ["body"] and headset.patient() is Validity.VALID)
        headset.told.clear()

        review(case, "rejected")
        told = headset.until_told("surface_withdrawn", "registration_withdrawn")
        assert told["surface_withdrawn"] == "rejected by Dr Other"
        assert "'body' that it rests on was rejected by Dr Other" in told["registration_withdrawn"]
        headset.until(lambda: headset.surfaces() == [] and headset.patient() is Validity.LOST)
        screen.wait_for("'body': not on offer: rejected by Dr Other")
        review(case, "approved")
        headset.until_told("surface_approved", "registration_changed")
        headset.until(lambda: headset.surfaces() == ["body"] and headset.patient() is Validity.VALID)

        manifest.rename(away)
        screen.wait_for("case.*what the case said last holds for 3 s")
        screen.wait_for("The patient is not shown: the case cannot be read")
        told = headset.until_told("surface_withdrawn", "registration_withdrawn")
        assert set(told.values()) >= {"the case cannot be read"}
        headset.until(lambda: headset.surfaces() == [] and headset.patient() is Validity.LOST)
        manifest.write_bytes(away.read_bytes()[:400])  # half of it first, as a copy over a slow network
        batches = headset.client.newest.sequence
        headset.until(lambda: headset.client.newest.sequence > batches + 50)  # poses go on
        away.replace(manifest)
        screen.wait_for("The case can be read again")
        headset.until_told("surface_approved", "registration_changed")
        headset.until(lambda: headset.surfaces() == ["body"] and headset.patient() is Validity.VALID)

        screen.program.send_signal(signal.SIGINT)
        assert screen.program.wait(PATIENCE_S) == 0
    assert "Traceback" not in screen.said


def test_a_start_with_nothing_approved_or_a_case_that_cannot_be_written_says_so_and_streams(tmp_path: Path) -> None:
    case = make_case(tmp_path / "case", TARGETS)  # noqa: F811
    review(case, "rejected")
    (case / "headset").write_text("in the place of the event log's folder")
    with serving(case) as screen, joined(screen) as headset:
        screen.wait_for("Nothing can be done from a headset: Got the event log .* File exists")
        screen.wait_for("'body': not on offer: rejected by Dr Other")
        screen.wait_for("No surface is on offer: approve one in the case: surgnav review")
        screen.wait_for("The patient is not shown: no registration of this case is in force")
        number = headset.client.control.send_event("request_registration", reason="start")
        headset.until(lambda: number in headset.client.control.events.answers)
        assert headset.client.control.events.answers[number].outcome.value == "refused"
        headset.until(lambda: headset.client.newest.sequence > 50)
    assert "Traceback" not in screen.said


@pytest.mark.parametrize(("size", "why"), [(None, "its file is missing"), (200, "it was altered")])
def test_a_patient_who_cannot_be_simulated_is_named(tmp_path: Path, size: int | None, why: str) -> None:
    case = make_case(tmp_path / "case", TARGETS)  # noqa: F811
    surface = case / "surfaces" / "body.glb"
    surface.unlink() if size is None else os.truncate(surface, size)
    refused = CliRunner().invoke(app, ["serve", str(case), "--tracker", "simulated"])
    assert refused.exit_code == 1
    said = " ".join(refused.output.split())
    assert "the surface 'body', which the simulated patient is made of" in said
    assert why in said
