"""An ONNX file of others on our engines: turned, resampled and scaled as its sidecar says, window by window."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.extras import from_extra
from geometry.points import Singles
from geometry.volume import Volume
from reconstruction.guests.axes import along
from reconstruction.guests.card import ModelCard
from reconstruction.guests.errors import ModelError
from reconstruction.guests.files import digests
from reconstruction.guests.guest import Progress
from reconstruction.guests.onnx.sidecar import Sidecar, read_sidecar, sidecar_path
from reconstruction.labels.segments import Segment, SegmentLayers
from reconstruction.network.engines.engine import choose_engine
from reconstruction.network.errors import EngineError
from reconstruction.network.grid import NetworkGrid, network_grid, resample
from reconstruction.network.sliding_window import sliding_window
from reconstruction.network.weights import Weights


def is_onnx_file(path: Path) -> bool:
    """Whether this looks like an ONNX file."""
    return path.is_file() and path.suffix.lower() == ".onnx"


def read_onnx_card(path: Path, name: str) -> ModelCard:
    """The card of an ONNX file, from its sidecar.

    Raises:
        ModelError: the sidecar is missing or wrong, or the file is no network of its kind.
    """
    sidecar = read_sidecar(path)
    _input_name(path, sidecar)
    return ModelCard(
        name=name,
        kind="onnx",
        path=str(path),
        structures=sidecar.structures,
        spacing_mm=sidecar.spacing_mm,
        orientation=sidecar.orientation,
        intensities_hu=sidecar.clip_hu,
        window=sidecar.window,
        licence=sidecar.licence,
        trained_on=sidecar.trained_on,
        modality="CT",
        files=digests(path.parent, [path, sidecar_path(path)]),
    )


class OnnxFile:
    """An ONNX file that is ready to run.

    Raises:
        ModelError: the file or its sidecar cannot be used.
        EngineError: no engine loads it.
    """

    def __init__(self, card: ModelCard) -> None:
        path = Path(card.path)
        self._card, self._sidecar = card, read_sidecar(path)
        self._engine = choose_engine(weights=_as_weights(card, self._sidecar, _input_name(path, self._sidecar)))
        self.engine = self._engine.name

    @property
    def card(self) -> ModelCard:
        return self._card

    def segment(self, ct: Volume, progress: Progress | None = None) -> SegmentLayers:
        """See `Guest.segment`."""
        turned = along(ct, self._card.orientation)
        answer, grid = self._answer(turned, progress)
        made_by = f"the ONNX file '{self._card.name}'"
        names = self._sidecar.structures
        on_ct = (_on(turned, channel, grid) for channel in answer)
        if self._sidecar.exclusive:
            labels = turned.with_voxels(_largest(on_ct))
            return SegmentLayers((labels,), tuple(Segment(n, s) for n, s in enumerate(names, 1)), made_by)
        level = 0.5 if self._sidecar.answer == "mask_probabilities" else 0.0
        masks = tuple(turned.with_voxels((channel > level).astype(np.uint16)) for channel in on_ct)
        return SegmentLayers(masks, tuple(Segment(1, s, layer=n) for n, s in enumerate(names)), made_by)

    def probabilities(self, ct: Volume) -> tuple[Singles, NetworkGrid]:
        """Of each channel, ``(c, nk, nj, ni)`` on the network's grid, in the card's orientation."""
        answer, grid = self._answer(along(ct, self._card.orientation), None)
        if self._sidecar.answer == "logits":
            answer = np.exp(answer - answer.max(axis=0))
            answer /= answer.sum(axis=0)
        elif self._sidecar.answer == "mask_logits":
            answer = np.divide(1.0, 1.0 + np.exp(-answer), dtype=np.float32)
        return answer, grid

    def _answer(self, turned: Volume, progress: Progress | None) -> tuple[Singles, NetworkGrid]:
        """What the network says, blended over its windows: ``(c, nk, nj, ni)`` on its grid."""
        sidecar = self._sidecar
        grid = network_grid(turned, sidecar.spacing_mm)
        values = self._scaled(resample(turned, grid, sidecar.clip_hu))
        i, j, k = sidecar.window
        missing = [max(0, w - n) for w, n in zip((k, j, i), values.shape, strict=True)]
        # What lies beyond the scan is as the thinnest that the network tells apart.
        beyond = float(self._scaled(np.array(sidecar.clip_hu[:1], np.float32))[0])
        padded = np.pad(values, [(m // 2, m - m // 2) for m in missing], constant_values=beyond)
        found = sliding_window(
            padded, (k, j, i), sidecar.overlap, self._run, [0.0] * sidecar.channels, progress=progress
        )
        inner = tuple(slice(m // 2, m // 2 + n) for m, n in zip(missing, values.shape, strict=True))
        return found[(slice(None), *inner)], grid

    def _scaled(self, hu: Singles) -> Singles:
        s = self._sidecar
        if s.mean_hu is not None and s.std_hu is not None:
            return (hu - np.float32(s.mean_hu)) / np.float32(s.std_hu)
        low, high = s.scale_to or s.clip_hu
        share = (hu - np.float32(s.clip_hu[0])) / np.float32(s.clip_hu[1] - s.clip_hu[0])
        return np.float32(low) + share * np.float32(high - low)

    def _run(self, batch: Singles) -> Singles:
        """One window ``(1, 1, k, j, i)``, in the order of axes that the file wants and back."""
        turn = (0, 1, 4, 3, 2) if self._sidecar.axes == "ijk" else (0, 1, 2, 3, 4)
        try:
            answer = self._engine.run(np.ascontiguousarray(batch.transpose(turn)))
        except EngineError as error:
            raise ModelError(f"a failure of '{self._card.name}': {error.came}", error.allowed, error.action) from error
        wanted = (1, self._sidecar.channels, *_array_window(self._sidecar))
        if answer.shape != wanted:
            raise ModelError(
                f"an answer of shape {answer.shape} from '{self._card.name}'",
                f"{wanted}: the sidecar names {len(self._sidecar.structures)} structures",
                "correct `structures`, `answer` or `window` in the sidecar, and add it again",
            )
        return answer.transpose(turn)


def _on(ct: Volume, channel: Singles, grid: NetworkGrid) -> Singles:
    """A channel on the CT's voxels ``(nk, nj, ni)``."""
    i, j, k = ct.shape_ijk
    return resample(Volume(channel, grid.affine, grid.frame), NetworkGrid((k, j, i), ct.affine, ct.frame))


def _largest(channels: Iterator[Singles]) -> NDArray[np.uint16]:
    """Index of the largest channel, with two of them in memory at a time."""
    best = next(channels).copy()
    labels = np.zeros(best.shape, np.uint16)
    for index, channel in enumerate(channels, 1):
        better = channel > best
        labels[better] = index
        np.maximum(best, channel, out=best)
    return labels


def _input_name(path: Path, sidecar: Sidecar) -> str:
    """The graph's only input; `ModelError` where there are others, or where it takes other windows."""
    graph = _load(path).graph
    made = {weight.name for weight in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in made]
    shapes = [[side.dim_value for side in entry.type.tensor_type.shape.dim] for entry in inputs]
    if len(shapes) != 1 or len(shapes[0]) != 5 or shapes[0][1] not in (0, 1) or len(graph.output) != 1:
        raise ModelError(
            f"{path.name} with inputs of shape {shapes} and {len(graph.output)} outputs (0 is a free side)",
            "one input (n, 1, and three axes of a volume) and one output",
            "export the network so",
        )
    sides = zip(shapes[0][2:], _array_window(sidecar), strict=True)
    if any(has not in (0, wanted) for has, wanted in sides):
        raise ModelError(
            f"the window {list(sidecar.window)} for {path.name}, whose input is {shapes[0][2:]} (0 is a free side)",
            "the window that the file was exported with",
            "correct `window` or `axes` in the sidecar",
        )
    return str(inputs[0].name)


def _load(path: Path) -> Any:
    with from_extra("segmentation"):
        import onnx

    try:
        content = path.read_bytes()
        onnx.checker.check_model(content)
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        came = f"{path.name}, which is no whole ONNX file ({str(error)[:120]})"
        raise ModelError(came, "an ONNX file with its weights inside", "export it again") from error
    return onnx.load_model_from_string(content)


def _array_window(sidecar: Sidecar) -> tuple[int, int, int]:
    """The window in the array's order of axes."""
    i, j, k = sidecar.window
    return (k, j, i) if sidecar.axes == "kji" else (i, j, k)


def _as_weights(card: ModelCard, sidecar: Sidecar, input_name: str) -> Weights:
    """The file as our engines take it."""
    path = Path(card.path)
    return Weights(
        name=card.name,
        onnx=path,
        sha256=card.files[path.name],
        dimensions=3,
        task=f"{len(sidecar.structures)} structures in CT",
        classes=sidecar.structures,
        input_name=input_name,
        spacing_mm=None,
        window=_array_window(sidecar),
        channels=(),
        family=None,
        stride=1,
        temperature=1.0,
        trained_on=(),
    )
