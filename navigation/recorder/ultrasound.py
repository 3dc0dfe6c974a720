"""Live ultrasound in the forms of a recording: our own note, and what viewers know.

Images are stored as Foxglove's RawImage: without loss, so that the same contours are found in them again; the file's
own compression (Zstandard) takes a tenth of PNG's time and about as much space.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from case.colours import structure_rgba
from geometry import Transform
from geometry.extras import from_extra
from geometry.points import Floats
from navigation.devices.ultrasound.mcap import ENCODING, FRAMES, IMAGES
from navigation.recorder.forms import TRANSFORMS, Form, foxglove_form, ultrasound_form
from unity_bridge.wire.convention import MM_PER_M

CONTOURS = "/ultrasound/contours"
IMAGE_FRAME = "ultrasound_image"
_LINE_M = 0.0005
_OUTLINE = 0.7, 0.7, 0.7, 1.0


class UltrasoundForms:
    """The messages of a recording that one frame makes."""

    def __init__(self) -> None:
        with from_extra("navigation"):
            from foxglove import messages
        self._foxglove: Any = messages

    def entries(self, data: bytes, time: Any, shown: Any) -> Iterator[tuple[str, Form, bytes]]:
        """Note, image, where its plane lies, and its contours as lines.

        Args:
            data: a pickle of `FrameNote`'s values, of the frame that the image lies in and ``(4, 4)`` from its pixels
                into that in mm (None where it may not be shown), and of the image's shape and bytes (or None).
            time: when it was given; for the image of a frame without a place.
            shown: makes the Timestamp of an instant on the service's clock.
        """
        note, (to_frame, matrix), pixels = pickle.loads(data)
        yield FRAMES, ultrasound_form(), json.dumps(note, allow_nan=False).encode()
        if pixels is not None:
            yield IMAGES, foxglove_form("RawImage"), self._image(pixels[0], pixels[1], time)
        shows_ns = note["place"]["shows_ns"]
        stamp = time if shows_ns is None else shown(shows_ns)
        if matrix is not None:
            yield TRANSFORMS, foxglove_form("FrameTransforms"), self._plane(to_frame, matrix, stamp)
        size_px = (0, 0) if pixels is None else pixels[0][::-1]
        yield CONTOURS, foxglove_form("SceneUpdate"), self._lines(note["contours"], to_frame, matrix, size_px, stamp)

    def _image(self, shape: tuple[int, int], pixels: bytes, time: Any) -> bytes:
        height, width = shape
        image = self._foxglove.RawImage(
            timestamp=time,
            frame_id=IMAGE_FRAME,
            width=width,
            height=height,
            encoding=ENCODING,
            step=width,
            data=pixels,
        )
        encoded: bytes = image.encode()
        return encoded

    def _plane(self, to_frame: str, matrix: Floats, stamp: Any) -> bytes:
        """The image's first pixel, with x along the transducer, y down the depth, z out of the plane."""
        to = self._foxglove
        along_x, along_y = (matrix[:3, axis] / np.linalg.norm(matrix[:3, axis]) for axis in (0, 1))
        pose = np.eye(4)
        pose[:3, 2] = np.cross(along_x, along_y)
        pose[:3, 2] /= np.linalg.norm(pose[:3, 2])
        pose[:3, 0], pose[:3, 1] = along_x, np.cross(pose[:3, 2], along_x)
        pose[:3, 3] = matrix[:3, 3]
        place = Transform(pose, to_frame, IMAGE_FRAME)
        turned = Rotation.from_matrix(place.rotation_matrix).as_quat().tolist()
        origin = (place.translation_mm / MM_PER_M).tolist()
        transform = to.FrameTransform(
            timestamp=stamp,
            parent_frame_id=to_frame,
            child_frame_id=IMAGE_FRAME,
            translation=to.Vector3(**dict(zip("xyz", origin, strict=True))),
            rotation=to.Quaternion(**dict(zip("xyzw", turned, strict=True))),
        )
        encoded: bytes = to.FrameTransforms(transforms=[transform]).encode()
        return encoded

    def _lines(
        self,
        contours: list[dict[str, Any]],
        to_frame: str,
        matrix: Floats | None,
        size_px: tuple[int, int],
        stamp: Any,
    ) -> bytes:
        """The contours and the image's border; where the frame may not be shown, what was drawn before goes."""
        to = self._foxglove
        if matrix is None:
            gone = to.SceneEntityDeletion(timestamp=stamp, id=IMAGE_FRAME)
            deleted: bytes = to.SceneUpdate(deletions=[gone], entities=[]).encode()
            return deleted
        right, bottom = size_px[0] - 1, size_px[1] - 1
        border = np.array([[0, 0], [right, 0], [right, bottom], [0, bottom]], np.float64)
        drawn = [(border, True, _OUTLINE)] + [
            (np.array(each["points_px"]), each["closed"], structure_rgba(each["structure"])) for each in contours
        ]
        lines = [self._line(_placed_m(matrix, points), closed, colour) for points, closed, colour in drawn]
        entity = to.SceneEntity(timestamp=stamp, frame_id=to_frame, id=IMAGE_FRAME, lines=lines)
        encoded: bytes = to.SceneUpdate(deletions=[], entities=[entity]).encode()
        return encoded

    def _line(self, points_m: Floats, closed: bool, colour: tuple[float, ...]) -> Any:
        to = self._foxglove
        kinds = to.LinePrimitiveLineType
        return to.LinePrimitive(
            type=kinds.LineLoop if closed else kinds.LineStrip,
            thickness=_LINE_M,
            points=[to.Point3(x=x, y=y, z=z) for x, y, z in points_m.tolist()],
            color=to.Color(**dict(zip("rgba", colour, strict=True))),
        )


def _placed_m(matrix: Floats, points_px: Floats) -> Floats:
    placed: Floats = (points_px @ matrix[:3, :2].T + matrix[:3, 3]) / MM_PER_M
    return placed
