"""``surgnav register`` driven by keys that tests type, on a simulated tracker."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from case.case import Case, MadeBy
from navigation.acquisition.collect import AcquisitionSettings
from navigation.commands.register.command import RegisterRequest
from navigation.commands.register.keyboard import PipedKeys
from navigation.commands.register.run import run_register
from navigation.simulation.patient import PatientSkin
from navigation.simulation.rehearsal import RehearsedTracker
from tests.registration.shapes import organ

TIME = "2026-01-02T03:04:05+00:00"
MADE_BY = MadeBy(program="test", version="1", time=TIME)
TARGETS = {"tumour": np.array([20.0, -150.0, 300.0]), "vessel": np.array([60.0, -140.0, 310.0])}
PERSON = "Dr Test"
TOUCH_FIVE = "ttttt s"  # the sixth stays free to verify with

# Simulating every frame of a person's 27 s costs more than all the rest.
SHORT = AcquisitionSettings(pivot_s=6.0, sweep_s=5.0)


def make_case(root: Path, targets: dict[str, np.ndarray]) -> Path:
    surface = replace(organ(subdivisions=4), name="body")
    skin = PatientSkin(surface)
    marks = {f"marker_{number}": point for number, point in enumerate(skin.markers().points_ct_mm, start=1)}
    with Case.create(root, "organ", TIME) as case:
        case.add_surface(surface, MADE_BY, made_from=())
        # In bone: on skin alone nothing is accepted (`tests/registration/record/test_verify.py`).
        said = dict.fromkeys(marks, "kind: bone")
        case.add_markups("landmarks", marks, MADE_BY, made_from=(), descriptions=said)
        if targets:
            case.add_markups("targets", targets, MADE_BY, made_from=(), kind="plan")
    case.decide("body", "approved", PERSON, TIME)
    return case.root


@pytest.fixture
def case(tmp_path: Path) -> Path:
    return make_case(tmp_path / "case", TARGETS)


def live(case: Path, keys: str, width: int = 160, time: str = TIME, **changes: object) -> tuple[bool, str]:
    """What `surgnav register --tracker simulated` returns and shows."""
    screen = io.StringIO()
    request = RegisterRequest(**({"case": case, "person": PERSON, "tracker": "simulated"} | changes))
    console = Console(file=screen, width=width, force_terminal=False)
    held = run_register(request, lambda: time, console, lambda: PipedKeys(io.StringIO(keys)), SHORT)
    return held, screen.getvalue()


def recorded(case: Path, **changes: object) -> tuple[bool, str]:
    folder = case / "registration"
    files = {"touched": folder / "r-0001_touched.points.json", "sweep": folder / "r-0001_sweep.csv"}
    return live(case, "", **({"tracker": None} | files | changes))


def truth(case: Path, seed: int = 1) -> RehearsedTracker:
    return RehearsedTracker(lambda: Case.open(case).read_surface("body"), seed, None)
