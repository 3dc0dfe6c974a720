"""``surgnav serve`` of a case with a plan: a client is guided, and goes on by the plan as it changes."""

from __future__ import annotations

import signal
from pathlib import Path

from typer.testing import CliRunner

from case.case import Case, MadeBy
from navigation.cli import app
from navigation.clock import NS_PER_S, MonotonicClock
from navigation.guidance.case_plans import KeptTrajectory, keep_trajectory
from navigation.guidance.plan import Screw, Trajectory
from tests.navigation.commands import serving as driven
from tests.navigation.commands.register.harness import TARGETS, TIME
from tests.navigation.commands.serving import ADDRESSES, PATIENCE_S, serving
from unity_bridge.client.reference_client import Endpoints, ReferenceClient
from unity_bridge.wire.envelope import Validity

case = driven.case
MADE_BY = MadeBy.surgnav(TIME, {})


def keep(case: Path, name: str, aside_mm: float) -> None:
    entry = TARGETS["tumour"] + [aside_mm, 0.0, 0.0]
    way = Trajectory(name, entry, entry + [0.0, 30.0, 0.0], Screw(5.0, 30.0))
    keep_trajectory(Case.open(case), KeptTrajectory(way, "body", ("body",)), MADE_BY)


def test_a_client_is_guided_by_the_plan_and_by_a_changed_one(case: Path) -> None:
    keep(case, "left", 0.0)
    clock = MonotonicClock()
    with serving(case, "--no-record") as screen:
        addresses = screen.wait_for(ADDRESSES.pattern).groups()
        screen.wait_for("guidance along left; followed: left")
        screen.wait_for(r"stylus: \d+\.\d mm beside left")
        endpoints = Endpoints(poses=addresses[0], surfaces=addresses[1], control=addresses[2])
        with ReferenceClient(endpoints, clock) as client:

            def until(condition: object) -> bool:
                return client.poll_until(condition, clock.now_ns() + int(PATIENCE_S * NS_PER_S))

            assert until(lambda: client.guidance and client.guidance["stylus"].validity is Validity.VALID)
            tool = client.guidance["stylus"]
            assert (tool.trajectory, tool.angle_rad, tool.screw_grade) == ("left", None, None), "pivoted, never spun"
            assert tool.error_mm > 0.0
            assert tool.risks[0].structure == "body"
            assert client.poses.refused == 0
            assert until(lambda: client.poses.guidance.plan is not None)
            assert client.poses.guidance.plan.followed == "left"

            keep(case, "right", 20.0)
            screen.wait_for("the plan in the case has changed")
            assert until(lambda: "the plan in the case has changed" in client.guidance["stylus"].reason)
            assert client.guidance["stylus"].validity is Validity.LOST
            screen.wait_for("guidance along left, right; followed: none yet")
            assert until(lambda: client.guidance["stylus"].validity is Validity.VALID)
            assert client.guidance["stylus"].trajectory == "", "of several none is chosen by itself"
            client.control.send_event("select_target", name="right")
            assert until(lambda: client.guidance["stylus"].trajectory == "right")
        screen.program.send_signal(signal.SIGINT)
        assert screen.program.wait(PATIENCE_S) == 0


def test_of_several_trajectories_one_is_named_or_chosen_at_the_headset(case: Path) -> None:
    keep(case, "left", 0.0)
    keep(case, "right", 20.0)
    clock = MonotonicClock()
    with serving(case, "--no-record", "--trajectory", "right") as screen:
        addresses = screen.wait_for(ADDRESSES.pattern).groups()
        screen.wait_for("guidance along left, right; followed: right")
        screen.wait_for(r"stylus: \d+\.\d mm beside right")
        endpoints = Endpoints(poses=addresses[0], surfaces=addresses[1], control=addresses[2])
        with ReferenceClient(endpoints, clock) as client:

            def until(condition: object) -> bool:
                return client.poll_until(condition, clock.now_ns() + int(PATIENCE_S * NS_PER_S))

            assert until(lambda: client.is_ready)
            client.control.send_event("select_target", name="left")
            assert until(lambda: client.guidance and client.guidance["stylus"].trajectory == "left")


def test_a_trajectory_that_is_not_planned_is_refused(case: Path) -> None:
    keep(case, "left", 0.0)
    asked = ["serve", str(case), "--tracker", "simulated", "--ports", "0", "0", "0", "--trajectory", "rigth"]
    refused = CliRunner().invoke(app, asked)
    assert refused.exit_code == 1
    assert "the trajectory 'rigth'" in refused.output
