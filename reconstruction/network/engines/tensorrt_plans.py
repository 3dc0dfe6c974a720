"""Plans that were built once, kept in files: each with what it was built from, and never taken for another.

A plan is two files in one folder: ``NAME-KEY.plan`` as TensorRT serialised it, and ``NAME-KEY.json`` that says from
which ONNX file, by which TensorRT, for which GPU and shapes it was built, and what its SHA-256 is. KEY is made from
these. A plan whose description does not say exactly what is asked for, or whose bytes changed, is built anew; TensorRT
itself is never shown bytes that it did not write.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from case.atomic import atomic_write
from reconstruction.network.engines import tensorrt_versions as versions
from reconstruction.network.engines.tensorrt_build import InputShapes, TensorRtPlan, build_plan, window_shapes
from reconstruction.network.engines.tensorrt_versions import Gpu, TensorRt, import_tensorrt
from reconstruction.network.weights import Weights

FOLDER = "plans"
# Of the files, and of how plans are built: raised when the same ingredients would give another plan.
FORMAT = 1


@dataclass(frozen=True)
class PlanKey:
    """Everything that decides whether a plan may run.

    Attributes:
        network_sha256: of the ONNX file.
        builder: TensorRT's module and version.
        gpu: the GPUs that it runs on, in words.
        shapes: of the input.
    """

    network_sha256: str
    builder: str
    gpu: str
    shapes: InputShapes

    def description(self) -> dict[str, Any]:
        """As it stands in the file beside the plan."""
        return json.loads(json.dumps({"format": FORMAT, **asdict(self)}))

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change with each ingredient."""
        return hashlib.sha256(json.dumps(self.description(), sort_keys=True).encode()).hexdigest()[:16]


def plan_key(weights: Weights, trt: TensorRt, gpu: Gpu | None) -> PlanKey:
    """What a plan for this network must have been built from, to run here.

    Raises:
        EngineError: TensorRT builds for the GPU it runs on, and there is none.
    """
    builder, target = versions.builder_name(trt), versions.target_gpu(trt, gpu)
    return PlanKey(weights.sha256, builder, target, window_shapes(weights))


def default_folder(weights: Weights) -> Path:
    """Where a network's plans lie unless told otherwise: beside its ONNX file."""
    return weights.onnx.parent / FOLDER


def find_plan(path: Path, key: PlanKey) -> TensorRtPlan | None:
    """The plan in that file, if it is whole and built from exactly what the key says."""
    try:
        said = json.loads(path.with_suffix(".json").read_text("utf-8"))
        content = path.read_bytes()
        wanted = {**key.description(), "sha256": hashlib.sha256(content).hexdigest()}
        if wanted.items() <= said.items():
            return TensorRtPlan(content, said["builder"], said["layers"], said["precisions"])
    except (OSError, ValueError, KeyError, AttributeError):
        pass  # absent, or no description: to be built anew like any other that does not fit
    return None


def keep_plan(path: Path, key: PlanKey, plan: TensorRtPlan) -> None:
    """Writes a plan and then its description, so that an interrupted run leaves nothing that looks whole.

    Raises:
        OSError: the folder cannot be written to.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, plan.content)
    text = {
        **key.description(),
        "sha256": hashlib.sha256(plan.content).hexdigest(),
        "layers": plan.layers,
        "precisions": dict(plan.precisions),
    }
    atomic_write(path.with_suffix(".json"), (json.dumps(text, indent=2) + "\n").encode())


def find_or_build(weights: Weights, folder: Path, gpu: Gpu | None) -> tuple[TensorRtPlan, Path | None]:
    """A network's plan for this GPU, and its file; built and kept where there is none that fits.

    Args:
        folder: of plans and timing caches; made if it is not there. Where it cannot be written to, the plan has no
            file and is built at every start.
        gpu: None where there is none, which TensorRT for RTX can do without.

    Raises:
        EngineError: no TensorRT, or it cannot build the network here.
    """
    key = plan_key(weights, import_tensorrt(), gpu)
    path = folder / f"{weights.name}-{key.digest}.plan"
    plan = find_plan(path, key)
    if plan is not None:
        return plan, path
    writable = _is_writable(folder)
    plan = build_plan(weights.onnx.read_bytes(), key.shapes, gpu, _timing_cache(folder, key) if writable else None)
    if writable:
        keep_plan(path, key, plan)
    return plan, path if writable else None


def _timing_cache(folder: Path, key: PlanKey) -> Path:
    """One file for all networks that the same TensorRT builds for the same GPU."""
    return folder / f"timing-{hashlib.sha256(f'{key.builder} {key.gpu}'.encode()).hexdigest()[:16]}.cache"


def _is_writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
