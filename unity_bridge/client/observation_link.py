"""What a client sees itself: numbers its images and puts their times on the server's clock."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from geometry import Transform
from geometry.frames import HEADSET
from geometry.points import Floats
from unity_bridge.client.clock_offset import ClockOffset
from unity_bridge.wire.convention import covariance_to_unity, pose_numbers
from unity_bridge.wire.generated.constants import Validity
from unity_bridge.wire.messages import ObservedTool, ToolObservations


class ObservationLink:
    """Makes the messages of one stream, independent of sockets."""

    def __init__(self) -> None:
        self._number = 0

    def message(
        self, anchor: str, seen_ns: int, tools: Iterable[ObservedTool], offset: ClockOffset | None
    ) -> ToolObservations | None:
        """What was seen in one image; None, and the image counted as not sent, while the clocks are not compared.

        Args:
            anchor: names the place of the client's world.
            seen_ns: when, on the client's clock; so are the tools' own times.
            offset: to the server's clock.
        """
        self._number += 1
        if offset is None:
            return None
        mapped = tuple(
            each if each.seen_ns is None else replace(each, seen_ns=offset.to_server_ns(each.seen_ns)) for each in tools
        )
        return ToolObservations(
            frame=HEADSET,
            anchor=anchor,
            number=self._number,
            seen_ns=offset.to_server_ns(seen_ns),
            clock_error_ns=offset.error_at_ns(seen_ns),
            tools=mapped,
        )


def seen(
    tool: str,
    T_headset_tool: Transform,
    validity: Validity = Validity.VALID,
    reason: str = "",
    fit_rms_mm: float | None = None,
    covariance: Floats | None = None,
) -> ObservedTool:
    """A tool that is seen, in Unity's convention.

    Args:
        T_headset_tool: ``T_headset_<tool>``, right-handed, mm.
        covariance: ``(6, 6)`` of (rotation vector in rad, translation in mm), along the axes of ``headset``.
    """
    numbers = pose_numbers(T_headset_tool)
    upper = None
    if covariance is not None:
        upper = tuple(covariance_to_unity(covariance)[np.triu_indices(6)].tolist())
    return ObservedTool(
        tool=tool,
        validity=validity,
        reason=reason,
        position_m=numbers[:3],
        rotation_xyzw=numbers[3:],
        fit_rms_mm=fit_rms_mm,
        covariance=upper,
    )


def unseen(tool: str, reason: str, validity: Validity = Validity.LOST) -> ObservedTool:
    """A tool that is not seen."""
    return ObservedTool(tool=tool, validity=validity, reason=reason)
