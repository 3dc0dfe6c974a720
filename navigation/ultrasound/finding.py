"""What can be looked for in a frame: the structures of a network, or the surface of bone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import numpy as np

from geometry.clock import Clock
from navigation.devices.ultrasound.source import GreyPixels, UltrasoundRecording
from reconstruction.network.engines.choice import choose_fastest
from reconstruction.network.engines.engine import InferenceEngine, choose_engine
from reconstruction.network.engines.openvino_engine import OpenVinoEngine
from reconstruction.network.errors import EngineError
from reconstruction.network.forms.load import load_forms
from reconstruction.network.weights import DEFAULT_WEIGHTS, Weights
from reconstruction.ultrasound.contours import Contour, find_contours
from reconstruction.ultrasound.errors import UltrasoundError
from reconstruction.ultrasound.frame_familiarity import familiarity_beside
from reconstruction.ultrasound.frame_state import FrameJudge, FrameState
from reconstruction.ultrasound.segment import FrameSegmenter, check_takes_images, network_inputs
from reconstruction.ultrasound.temporal import SteadyScores

BONE = "bone"
# Names for people; any other name is the path of a network's description.
NETWORKS = {"nerve_vessel": "ultrasound_nerve_vessel", "nerve_vessel_tiny": "ultrasound_nerve_vessel_tiny"}
MODELS = (*NETWORKS, BONE)
MOST_THREADS = 4  # a network of this size gains nothing from more
_SAMPLES, _SAMPLED_FROM = 8, 64  # frames on which engines are compared, and from among how many


class ContourFinder(Protocol):
    """Finds structures in usable frames, one after the other."""

    @property
    def name(self) -> str:
        """Method, engine and version, for records."""
        ...

    def find(self, pixels: GreyPixels, time_ns: int | None) -> tuple[Contour, ...]:
        """The contours in one frame; without a time, nothing of earlier frames is used."""
        ...

    def forget(self) -> None:
        """Forgets earlier frames, after one that was not usable."""
        ...


class NetworkFinder:
    """The structures of a 2D network, steadied from frame to frame."""

    def __init__(self, segmenter: FrameSegmenter, name: str) -> None:
        self.name = name
        self._segmenter = segmenter
        self._steady = SteadyScores()

    def find(self, pixels: GreyPixels, time_ns: int | None) -> tuple[Contour, ...]:
        segmented = self._segmenter.segment(pixels)
        if time_ns is None:
            self.forget()
        else:
            segmented = self._steady.step(segmented, time_ns)
        return find_contours(segmented.probabilities, segmented.placement, segmented.classes)

    def forget(self) -> None:
        self._steady.reset()


class BoneFinder:
    """The surface of bone, each frame by itself: one open line for each piece without a gap."""

    name = "bone surface by ridge, shadow and dynamic programming"

    def find(self, pixels: GreyPixels, time_ns: int | None) -> tuple[Contour, ...]:
        from reconstruction.ultrasound.bone_surface import find_bone_surface

        bone = find_bone_surface(pixels)
        gaps = np.nonzero(np.diff(bone.columns) > 1)[0] + 1
        points = np.stack([bone.columns, bone.rows], axis=1).astype(np.float64)
        return tuple(
            Contour(BONE, piece, closed=False, confidence=None, area_px2=0.0)
            for piece in np.split(points, gaps)
            if len(piece) > 1
        )

    def forget(self) -> None:
        """Nothing is kept from frame to frame."""


def model_description(model: str) -> Path | None:
    """The description of the network of that name or path; None for bone, which needs no network.

    Raises:
        UltrasoundError: neither a known name nor an existing file.
    """
    if model == BONE:
        return None
    path = DEFAULT_WEIGHTS.parent / f"{NETWORKS[model]}.json" if model in NETWORKS else Path(model)
    if not path.is_file():
        raise UltrasoundError(
            f"the model {model!r}",
            f"{', '.join(MODELS)}, or the JSON description of a 2D network",
            "choose one of these",
        )
    return path


def open_finder(
    model: str, engine: str | None, samples: Sequence[GreyPixels], clock: Clock, cache: Path
) -> ContourFinder:
    """Loads a model and its engine.

    Args:
        model: one of `MODELS`, or the path of a network's description.
        engine: name of the inference engine; without one TensorRT where it runs, else what was measured to be the
            fastest on this processor (`reconstruction.network.engines.choice`).
        samples: frames of the source, on which that is measured.
        clock: times the engines.
        cache: folder that keeps what was measured.

    Raises:
        UltrasoundError: an unknown model, or one that takes volumes.
        EngineError: the engine cannot be loaded.
        WeightsError: the weights are missing or damaged.
    """
    description = model_description(model)
    if description is None:
        return BoneFinder()
    forms = load_forms(description)
    check_takes_images(forms[0])
    weights, chosen = _chosen_engine(forms, engine, samples, clock, cache)
    return NetworkFinder(FrameSegmenter(weights, chosen), f"{weights.name} by {chosen.name}")


def _chosen_engine(
    forms: Sequence[Weights], engine: str | None, samples: Sequence[GreyPixels], clock: Clock, cache: Path
) -> tuple[Weights, InferenceEngine]:
    if engine is not None:
        return forms[0], choose_engine(engine, forms[0])
    with suppress(EngineError):
        return forms[0], choose_engine("tensorrt", forms[0])
    threads = min(MOST_THREADS, len(os.sched_getaffinity(0)))
    if not samples:
        return forms[0], OpenVinoEngine(forms[0], threads=threads)
    choice = choose_fastest(forms, network_inputs(samples, forms[0]), clock, cache, threads)
    return choice.weights, choice.engine


def sample_frames(recording: UltrasoundRecording, judge: FrameJudge) -> list[GreyPixels]:
    """Up to eight frames near the beginning that a judge finds usable each by itself."""
    found = []
    for index in np.unique(np.linspace(0, min(len(recording), _SAMPLED_FROM) - 1, _SAMPLES).astype(int)):
        pixels = recording.frame(int(index)).pixels
        if pixels is not None and judge.judge(pixels, None).state is FrameState.USABLE:
            found.append(pixels)
    return found


def open_judge(model: str) -> FrameJudge:
    """The judge of frames for a model: what frames are familiar is known for networks that have statistics beside them.

    Raises:
        UltrasoundError: an unknown model.
        FamiliarityError: damaged statistics.
    """
    description = model_description(model)
    return FrameJudge(None if description is None else familiarity_beside(description))
