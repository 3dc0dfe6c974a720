"""Plans in files: taken only for what they were built from, and built anew when anything does not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reconstruction.network.engines import tensorrt_plans, tensorrt_versions
from reconstruction.network.engines.tensorrt_build import InputShapes, TensorRtPlan, window_shapes
from reconstruction.network.engines.tensorrt_plans import PlanKey, find_or_build, find_plan, keep_plan, plan_key
from reconstruction.network.engines.tensorrt_versions import Gpu, import_tensorrt
from reconstruction.network.errors import EngineError
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights, load_weights

pytestmark = pytest.mark.usefixtures("rtx")

SHAPES = InputShapes((1, 1, 32, 32), (1, 1, 256, 256), (1, 1, 256, 256))
KEY = PlanKey("ab" * 32, "tensorrt 10.13.0.35", "NVIDIA X, compute capability 8.9", SHAPES)
PLAN = TensorRtPlan(b"a plan", KEY.builder, 7, {"FLOAT": 3})
OTHERS = [
    replace(KEY, network_sha256="cd" * 32),
    replace(KEY, builder="tensorrt 10.14.1.48"),
    replace(KEY, builder="tensorrt_rtx 10.13.0.35"),
    replace(KEY, gpu="NVIDIA Y, compute capability 8.9"),
    replace(KEY, gpu="NVIDIA X, compute capability 8.7"),
    replace(KEY, shapes=replace(SHAPES, smallest=(1, 1, 64, 64))),
    replace(KEY, shapes=replace(SHAPES, usual=(1, 1, 128, 128))),
    replace(KEY, shapes=replace(SHAPES, largest=(1, 1, 512, 512))),
]


@pytest.fixture
def tiny() -> Weights:
    return load_weights(DEFAULT_WEIGHTS.parent / "ultrasound_nerve_vessel_tiny.json")


def test_every_ingredient_changes_the_key(monkeypatch: pytest.MonkeyPatch):
    digests = {key.digest for key in (KEY, *OTHERS)}
    monkeypatch.setattr(tensorrt_plans, "FORMAT", tensorrt_plans.FORMAT + 1)
    assert len(digests | {KEY.digest}) == len(OTHERS) + 2


def test_what_was_kept_is_found(tmp_path: Path):
    keep_plan(tmp_path / "n.plan", KEY, PLAN)
    assert find_plan(tmp_path / "n.plan", KEY) == PLAN
    assert sorted(path.name for path in tmp_path.iterdir()) == ["n.json", "n.plan"]


@pytest.mark.parametrize("other", OTHERS, ids=lambda key: key.digest[:4])
def test_a_plan_of_something_else_is_not_taken_even_under_its_name(tmp_path: Path, other: PlanKey):
    keep_plan(tmp_path / "n.plan", KEY, PLAN)
    assert find_plan(tmp_path / "n.plan", other) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda plan: plan.write_bytes(b"b plan"),
        lambda plan: plan.write_bytes(plan.read_bytes()[:-1]),
        lambda plan: plan.unlink(),
        lambda plan: plan.with_suffix(".json").unlink(),
        lambda plan: plan.with_suffix(".json").write_text("{"),
        lambda plan: plan.with_suffix(".json").write_text("[]"),
        lambda plan: plan.with_suffix(".json").write_bytes(b"\xff"),
    ],
)
def test_a_damaged_plan_is_not_taken(tmp_path: Path, damage):
    keep_plan(tmp_path / "n.plan", KEY, PLAN)
    damage(tmp_path / "n.plan")
    assert find_plan(tmp_path / "n.plan", KEY) is None


def test_a_plan_is_built_once_and_again_when_damaged(tmp_path: Path, tiny: Weights, monkeypatch: pytest.MonkeyPatch):
    built, path = find_or_build(tiny, tmp_path, None)
    assert path is not None
    assert path.name.startswith(f"{tiny.name}-")
    said = json.loads(path.with_suffix(".json").read_text())
    assert said["network_sha256"] == tiny.sha256
    assert said["builder"] == tensorrt_versions.builder_name(import_tensorrt())
    path.write_bytes(built.content[:100])
    again, same = find_or_build(tiny, tmp_path, None)
    assert same == path
    assert len(again.content) > 100_000
    monkeypatch.setattr(tensorrt_plans, "build_plan", None)  # from here on it must come from the file
    assert find_or_build(tiny, tmp_path, None) == (again, path)


def test_where_nothing_can_be_written_the_plan_has_no_file(tmp_path: Path, tiny: Weights):
    (tmp_path / "file").write_text("in the way")
    plan, path = find_or_build(tiny, tmp_path / "file" / "plans", None)
    assert path is None
    assert plan.layers > 0


def test_what_a_plan_is_for(rtx, tiny: Weights):
    """TensorRT for RTX builds for all from 8.0 on, and for an older GPU alone; TensorRT for the one that is here."""

    class Enterprise:
        __name__, __version__ = "tensorrt", "11.0.0"

    orin, turing = Gpu("Orin", (8, 7)), Gpu("Quadro RTX 6000", (7, 5))
    assert plan_key(tiny, rtx, None) == plan_key(tiny, rtx, orin)
    assert plan_key(tiny, rtx, turing).gpu == "Quadro RTX 6000, compute capability 7.5"
    assert plan_key(tiny, Enterprise(), orin) == PlanKey(
        tiny.sha256, "tensorrt 11.0.0", "Orin, compute capability 8.7", window_shapes(tiny)
    )
    with pytest.raises(EngineError, match="build it on that machine"):
        plan_key(tiny, Enterprise(), None)


@pytest.mark.parametrize("shape", [(1, 1, 16, 256), (1, 1, 256, 512), (2, 1, 256, 256), (1, 256, 256)])
def test_shapes_outside_the_plan_are_refused(shape: tuple[int, ...]):
    SHAPES.check((1, 1, 32, 256))
    with pytest.raises(EngineError, match=r"\(1, 1, 32, 32\) to \(1, 1, 256, 256\)"):
        SHAPES.check(shape)
