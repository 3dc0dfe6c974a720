"""A board that is shown to one or two cameras: which pictures are kept, what is covered, and where to hold it next."""

from __future__ import annotations

from calibration.camera.boards import Board, LeftOut
from calibration.camera.choosing import covered, is_new
from calibration.camera.errors import CameraRefusedError
from calibration.camera.mono import calibrate_camera
from calibration.camera.stereo import Pair
from calibration.camera.views import BoardView
from navigation.acquisition.board_pictures import NamedPicture, Pictures
from navigation.acquisition.collecting import Advice

# Corners of a board that is held still stay where they were from one picture to the next.
_STILL_PX = 3.0
_BLURRED_TIMES = 2.0
_TOLD_EVERY = 4


class BoardCollecting:
    """Satisfies `Collecting` for pictures of a board.

    Args:
        board: what is shown.
        n_cameras: one or two.
        every_picture: keep every view, as of pictures that somebody chose; else those that differ from all before, held
            still and sharp, as of a video.
    """

    def __init__(self, board: Board, n_cameras: int, *, every_picture: bool) -> None:
        self._board, self._n_cameras, self._every_picture = board, n_cameras, every_picture
        self._kept: list[Pair] = []
        self._before: list[BoardView | None] = [None, None]
        self._known, self._known_at = "", 0
        self.not_seen: list[LeftOut] = []
        self.why = ""

    @property
    def pairs(self) -> list[Pair]:
        """Of each moment that was kept, the views of the first and the second camera; None where there is none."""
        return list(self._kept)

    def views(self, camera: int) -> list[BoardView]:
        """Those of one camera, 0 or 1."""
        return [view for pair in self._kept if (view := pair[camera]) is not None]

    @property
    def is_enough(self) -> bool:
        return all(covered(self.views(camera)).share >= 1.0 for camera in range(self._n_cameras))

    def add(self, pictures: Pictures) -> None:
        """Looks for the board in the pictures of one moment, and keeps them if they tell something new."""
        self.why = ""
        found = [self._found(picture) for picture in pictures]
        views = [each if isinstance(each, BoardView) else None for each in found]
        missing = [each for each in found if isinstance(each, LeftOut)]
        if not self._every_picture:
            self.why = " ".join(each.reason for each in missing[:1]) or self._unfit(views)
            self._before = [*views, None][:2]
            if missing or self.why:
                return
        self.not_seen += missing
        if any(view is not None for view in views):
            first, second = [*views, None][:2]
            self._kept.append((first, second))

    def undo(self) -> None:
        if self._kept:
            self._kept.pop()

    def advice(self) -> Advice:
        every = [covered(self.views(camera)) for camera in range(self._n_cameras)]
        least = min(range(self._n_cameras), key=lambda camera: every[camera].share)
        where = "" if self._n_cameras == 1 else f" (camera {least + 1})"
        if self.is_enough:
            return Advice.enough(self._doubt())
        return Advice(every[least].next_step + where, every[least].share, self._doubt())

    def _found(self, picture: NamedPicture) -> BoardView | LeftOut:
        if picture.grey is None:
            return LeftOut(picture.name, "no picture that can be read: it may be cut short")
        return self._board.find(picture.grey, picture.name)

    def _unfit(self, views: list[BoardView | None]) -> str:
        """Why the views of one moment are not kept; empty if they are."""
        for camera, (view, before) in enumerate(zip(views, self._before, strict=False)):
            if view is None:
                continue
            if before is None or _moved_px(view, before) > _STILL_PX:
                return "hold the board still"
            kept = self.views(camera)
            sharpest = min((each.blur_px for each in kept if each.blur_px is not None), default=None)
            if sharpest is not None and view.blur_px is not None and view.blur_px > _BLURRED_TIMES * sharpest:
                widths = f"{view.blur_px:.0f} px wide, {sharpest:.0f} before"
                return f"blurred: edges {widths}; hold it still, in focus, in light"
        if not any(view is not None and is_new(view, self.views(camera)) for camera, view in enumerate(views)):
            return "this place and tilt were seen already"
        return ""

    def _doubt(self) -> str:
        count = len(self._kept)
        if (count >= 6 and count >= self._known_at + _TOLD_EVERY) or count < self._known_at:
            self._known, self._known_at = self._told(), count
        return f"{count} views kept" + (f"; {self._known}" if self._known else "")

    def _told(self) -> str:
        said = []
        for camera in range(self._n_cameras):
            try:
                found = calibrate_camera(self.views(camera), "1970-01-01T00:00:00+00:00")
            except CameraRefusedError:
                continue
            share = found.deviations["fx_px"] / found.camera.fx_px
            said.append(f"focal length known to {share:.2%}, the picture to {found.expected_rms_px:.2f} px")
        return "; ".join(said)


def _moved_px(view: BoardView, before: BoardView) -> float:
    """The largest way of a corner that is in both."""
    old = dict(zip(before.corners.tolist(), before.pixels, strict=True))
    ways = [
        float(abs(pixel - old[corner]).max())
        for corner, pixel in zip(view.corners.tolist(), view.pixels, strict=True)
        if corner in old
    ]
    return max(ways, default=float("inf"))
