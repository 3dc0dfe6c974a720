"""``surgnav serve --openigtlink``: a registered case as 3D Slicer receives it."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import numpy as np

from case.case import Case
from geometry.orientation import flip_ras_lps
from navigation.devices.openigtlink.messages import StatusCode
from registration.record.attempts import load_attempt, record
from registration.record.in_force import in_force
from tests.navigation.commands import serving as driven
from tests.navigation.commands.register.harness import PERSON, TARGETS, TIME
from tests.navigation.commands.serving import PATIENCE_S, serving
from tests.navigation.live.openigtlink.harness import Reader

case = driven.case
ADDRESS = re.compile(r"OpenIGTLink 127\.0\.0\.1:(\d+)")


def test_tools_surface_plan_and_registration_reach_a_program(case: Path):
    with serving(case, "--openigtlink", "0") as screen:
        port = int(screen.wait_for(ADDRESS.pattern).group(1))
        with Reader(port) as reader:
            registration = reader.read_until("TRANSFORM", "ReferenceToRas").content.matrix
            expected = np.linalg.inv(in_force(Case.open(case)).T_reference_ct.matrix)
            np.testing.assert_allclose(registration[:3, 3], flip_ras_lps(expected[:3, 3]), rtol=1e-6, atol=1e-9)
            reader.read_until("TRANSFORM", "StylusTipToReference")
            body = reader.read_until("POLYDATA", "body").content
            truth = Case.open(case).read_surface("body")
            np.testing.assert_allclose(body.points_mm, flip_ras_lps(truth.vertices_mm), rtol=1e-6, atol=1e-9)
            points = reader.read_until("POINT", "Targets").content.points
            assert {point.name for point in points} == set(TARGETS)
            screen.wait_for(r"OpenIGTLink: 127\.0\.0\.1:\d+ has joined")

            opened = Case.open(case)
            record(opened, load_attempt(opened, "r-0001"), "withdrawn", PERSON, TIME)
            _await_status(reader, "ReferenceToRas", StatusCode.NOT_PRESENT)
            opened.decide("body", "rejected", PERSON, TIME)
            reader.read(lambda messages: not len(reader.of("POLYDATA", "body")[-1].content.points_mm))
        screen.program.send_signal(signal.SIGINT)
        assert screen.program.wait(PATIENCE_S) == 0


def _await_status(reader: Reader, name: str, code: StatusCode) -> None:
    reader.read(lambda messages: reader.of("STATUS", name) and reader.of("STATUS", name)[-1].content.code == code)
