"""The program that acts as the headset of the ultrasound demo: writes down each frame of contours as it is decoded.

python -m navigation.demo.ultrasound.headset POSES SURFACES CONTROL SECONDS FILE
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

from navigation.clock import NS_PER_S, MonotonicClock
from navigation.demo.ultrasound.decoded import DecodedDistance, DecodedFrame
from navigation.demo.ultrasound.growing import SeenSurface
from navigation.ultrasound.freehand.sweep_process import SWEEP
from unity_bridge.client.reference_client import ClientSettings, Endpoints, ReferenceClient
from unity_bridge.client.surfaces.puller import PullerSettings
from unity_bridge.ultrasound.placed import contour_points_px, placed_image
from unity_bridge.wire.convention import surface_from_unity
from unity_bridge.wire.envelope import Validity

_POLL_MS = 20


def listen(endpoints: Endpoints, duration_s: float) -> tuple[list[DecodedFrame], list[SeenSurface]]:
    """What a display is given of live ultrasound for so long, from when the first frame has come: frames, and surfaces
    of the sweep, one for each that came.
    """
    clock = MonotonicClock()
    found: list[DecodedFrame] = []
    surfaces: dict[str, SeenSurface] = {}
    settings = ClientSettings(puller=PullerSettings(allow_suggested=True))
    until_ns = clock.now_ns() + round((duration_s + 60.0) * NS_PER_S)
    newest = 0
    with ReferenceClient(endpoints, clock, settings) as client:
        while clock.now_ns() < until_ns:
            client.poll(_POLL_MS)
            for sha256, pulled in client.surfaces.surfaces.items():
                if pulled.entry.name == SWEEP and pulled.level.sha256 == pulled.entry.sha256 and sha256 not in surfaces:
                    surface = surface_from_unity(pulled.decoded.surface)
                    surfaces[sha256] = SeenSurface(clock.now_ns(), pulled.entry.approval, surface)
            shown = client.contours
            if shown is None or shown.frame.number <= newest:
                continue
            newest = shown.frame.number
            if not found:
                until_ns = clock.now_ns() + round(duration_s * NS_PER_S)
            placed = placed_image(shown.frame) if shown.frame.placing is Validity.VALID else None
            found.append(
                DecodedFrame(
                    decoded_ns=clock.now_ns(),
                    shows_ns=shown.frame.shows_ns,
                    validity=shown.validity.value,
                    reason=shown.reason,
                    to_frame=shown.frame.to_frame,
                    image_px_to_mm=None if placed is None else placed.image_px_to_mm,
                    expected_p95_mm=shown.frame.expected_p95_mm,
                    contours_px=tuple(contour_points_px(each).astype(float) for each in shown.frame.contours),
                    distances=tuple(
                        DecodedDistance(each.contour, each.to, each.distance_mm, each.p95_mm, each.is_least)
                        for each in shown.frame.distances
                    ),
                )
            )
    return found, list(surfaces.values())


def main(words: list[str]) -> int:
    """The program."""
    poses, surfaces, control, seconds, path = words
    found = listen(Endpoints(poses=poses, surfaces=surfaces, control=control), float(seconds))
    Path(path).write_bytes(pickle.dumps(found))
    return 0 if found[0] else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
