"""One connection to the cameras: pictures in, observations of the tools out."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from calibration.camera.camera_file import read_camera
from navigation.clock import NS_PER_S, PacedClock
from navigation.devices.optical_markers.bodies import body_of
from navigation.devices.optical_markers.finding import Finder, View
from navigation.devices.optical_markers.judging import judge
from navigation.devices.optical_markers.pictures import Picture, PictureSource
from navigation.devices.optical_markers.settings import MarkerCameraSettings
from navigation.devices.reader import Received
from navigation.devices.tracker import ToolObservation, Visibility

if TYPE_CHECKING:
    from navigation.devices.driver import Device

_NS_PER_MS = NS_PER_S // 1000


class MarkerConnection:
    """Satisfies `DeviceConnection` for one or several cameras.

    Raises:
        CameraFileError: a calibration that cannot be read.
        DeviceError: a source that cannot be opened, or markers that the dictionary does not have.
    """

    round_trip_ns = 0

    def __init__(self, device: Device, settings: MarkerCameraSettings, clock: PacedClock) -> None:
        self._settings = settings
        self._bodies = [body_of(tool, settings.dictionary) for tool in device.tools]
        calibrations = [read_camera(camera.calibration) for camera in settings.cameras]
        self._finders = [
            Finder(calibration, camera.T_tracker_camera.inverse(), self._bodies, settings.dictionary)
            for camera, calibration in zip(settings.cameras, calibrations, strict=True)
        ]
        self._arrived = threading.Condition()
        self._sources: list[PictureSource] = []
        try:
            for camera, calibration in zip(settings.cameras, calibrations, strict=True):
                self._sources.append(PictureSource(camera, calibration, clock, self._arrived))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        for source in self._sources:
            source.close()

    def receive(self, timeout_s: float) -> Sequence[Received]:
        with self._arrived:
            self._arrived.wait_for(lambda: any(source.has_news for source in self._sources), timeout_s)
            # The other cameras' pictures of the same moment come within a period, or are not waited for.
            period_s = 1.0 / self._settings.rate_hz
            self._arrived.wait_for(lambda: all(source.has_news for source in self._sources), period_s / 2.0)
        taken = enumerate(source.take() for source in self._sources)
        pictures = {camera: picture for camera, picture in taken if picture is not None}
        if not pictures:
            return []
        views = {camera: self._finders[camera].look(picture.grey) for camera, picture in pictures.items()}
        groups = _together({each: picture.arrival_ns for each, picture in pictures.items()}, self._settings.together_ms)
        told = self._observed(groups, views)
        return [
            self._received(seen, [pictures[camera] for camera in group])
            for group, seen in zip(groups, told, strict=True)
            if seen
        ]

    def _received(self, seen: dict[str, ToolObservation], pictures: Sequence[Picture]) -> Received:
        newest = max(pictures, key=lambda picture: picture.arrival_ns)
        # The numbers of several cameras say nothing together.
        sequence = newest.number if len(self._sources) == 1 else None
        return Received(seen, newest.sensor_ns, sequence, arrival_ns=newest.arrival_ns)

    def _observed(
        self, groups: Sequence[Sequence[int]], views: dict[int, dict[str, View]]
    ) -> list[dict[str, ToolObservation]]:
        """For each group of cameras, the tools that are told by it: by the newest that sees them, or by the newest."""
        told: list[dict[str, ToolObservation]] = [{} for _ in groups]
        for body in self._bodies:
            judged = [judge(body, [views[camera][body.tool] for camera in group]) for group in groups]
            visible = [number for number, seen in enumerate(judged) if seen.visibility is Visibility.VISIBLE]
            chosen = visible[-1] if visible else len(groups) - 1
            told[chosen][body.tool] = judged[chosen]
        return told


def _together(times_ns: dict[int, int], within_ms: float) -> list[list[int]]:
    """Cameras in groups, the oldest first: the pictures of a group came within `within_ms` of its newest."""
    groups: list[list[int]] = []
    newest_ns = 0
    for camera in sorted(times_ns, key=lambda each: -times_ns[each]):
        if groups and newest_ns - times_ns[camera] <= within_ms * _NS_PER_MS:
            groups[-1].append(camera)
        else:
            groups.append([camera])
            newest_ns = times_ns[camera]
    return groups[::-1]
