"""What a headset sees, as docs/unity_bridge/protocol.md, section 10, rules: checked, and out of Unity's convention."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from geometry import Transform
from geometry.frames import HEADSET, check_frame
from geometry.points import Floats, read_only
from unity_bridge.control.event_handler import Sender
from unity_bridge.errors import InvalidPoseError, ObservationsRefusedError
from unity_bridge.wire.convention import UnityPose, covariance_from_unity, pose_from_unity
from unity_bridge.wire.generated.constants import MAX_OBSERVED_TOOLS, Validity
from unity_bridge.wire.messages import HeadsetAlignment, ObservedTool, ToolObservations

# The clocks are compared to a few ms on any link that serves: a larger bound is an exchange that has not begun to work.
MAX_CLOCK_ERROR_NS = 50_000_000
_WITH_POSE = {Validity.VALID, Validity.SUSPECT}
_UPPER = np.triu_indices(6)
_ROUNDING = 1e-9  # of the largest variance, by which an eigenvalue may be negative


class Observer(Protocol):
    """Whoever takes what headsets see; is handed each well-formed message of a client that passed the self-test."""

    def take(self, message: ToolObservations, sender: Sender, stream: str, received_ns: int) -> HeadsetAlignment | None:
        """Takes a message in, and returns the answer to it, if there is one.

        Args:
            stream: names the run of the sender's program; empty if it gave none.
            received_ns: on the server's clock.

        Raises:
            SurgNavError: the message is refused.
        """
        ...

    def left(self, sender: Sender, stream: str, reason: str) -> None:
        """The client has said goodbye."""
        ...


@dataclass(frozen=True, eq=False)
class SeenTool:
    """One tool of a headset in one image.

    Attributes:
        validity, reason: as the headset says.
        T_headset_tool: ``T_headset_<tool>``, right-handed, mm; None exactly if the headset has no pose.
        seen_ns: when, on the server's clock.
        fit_rms_mm: RMS distance of the marker from its design; None where the headset does not say it.
        covariance: ``(6, 6)`` of (rotation vector in rad, translation in mm), axes of ``headset``; None likewise.
    """

    validity: Validity
    reason: str
    T_headset_tool: Transform | None
    seen_ns: int
    fit_rms_mm: float | None
    covariance: Floats | None


@dataclass(frozen=True, eq=False)
class HeadsetView:
    """What a headset saw in one image, in its own world ``headset``.

    Attributes:
        anchor: names the place of that world; poses under two anchors have nothing to do with one another.
        number: the image's number in the stream.
        seen_ns: when, on the server's clock.
        tools: by the headset's own names.
    """

    anchor: str
    number: int
    seen_ns: int
    tools: Mapping[str, SeenTool]


def view_of(message: ToolObservations, names: Mapping[str, str]) -> HeadsetView:
    """The content of a message, out of Unity's convention.

    Args:
        names: the headset's name of each tool -> the name of its frame here.

    Raises:
        ObservationsRefusedError: another frame than ``headset``, no anchor, too many tools, or one that comes twice.
        InvalidPoseError: a pose where there can be none, or none where there must be one; numbers that are no pose.
    """
    if message.frame != HEADSET:
        raise ObservationsRefusedError(
            f"poses in the frame '{message.frame[:40]}'",
            f"'{HEADSET}', the headset's own world",
            f"send the poses below the headset's anchor, and call that '{HEADSET}'",
        )
    if not message.anchor:
        raise ObservationsRefusedError(
            "poses without an anchor",
            "the name of the place where the headset's world is",
            "draw a name, such as a UUID, whenever the world is placed",
        )
    tools = [seen.tool for seen in message.tools]
    if len(tools) > MAX_OBSERVED_TOOLS or len(set(tools)) < len(tools):
        raise ObservationsRefusedError(
            f"{len(tools)} tools, {len(set(tools))} of them different",
            f"each tool once, {MAX_OBSERVED_TOOLS} at most",
            "send one record for each tool that the headset looks for",
        )
    seen = {each.tool: _seen(each, names[each.tool], message.seen_ns) for each in message.tools}
    return HeadsetView(message.anchor, message.number, message.seen_ns, seen)


def check_time(message: ToolObservations, received_ns: int) -> None:
    """Refuses times that cannot be: what was seen was seen before it came here.

    Raises:
        ObservationsRefusedError: as the message says.
    """
    if not 0 <= message.clock_error_ns <= MAX_CLOCK_ERROR_NS:
        raise ObservationsRefusedError(
            f"clocks compared to {message.clock_error_ns / 1e6:.1f} ms",
            f"0 to {MAX_CLOCK_ERROR_NS / 1e6:.0f} ms",
            "compare the clocks before you send, and again after the link was made anew",
        )
    newest_ns = max([message.seen_ns, *(each.seen_ns for each in message.tools if each.seen_ns is not None)])
    ahead_ns = newest_ns - received_ns
    if ahead_ns > message.clock_error_ns:
        raise ObservationsRefusedError(
            f"tools seen {ahead_ns / 1e6:.1f} ms from now, by clocks compared to {message.clock_error_ns / 1e6:.1f} ms",
            "a time that has passed, on the server's clock",
            "compare the clocks anew: one of them was set",
        )


def _seen(observed: ObservedTool, frame: str, seen_ns: int) -> SeenTool:
    pose = _pose(observed, frame)
    fit = observed.fit_rms_mm
    if pose is None and (fit is not None or observed.covariance is not None):
        raise _contradiction(
            observed, "a fit or a covariance of a tool without a pose", "none of a tool without a pose"
        )
    if fit is not None and fit < 0.0:
        raise _contradiction(observed, f"a fit of {fit} mm", "an RMS distance of 0 mm or more")
    at_ns = seen_ns if observed.seen_ns is None else observed.seen_ns
    return SeenTool(observed.validity, observed.reason, pose, at_ns, fit, _covariance(observed))


def _pose(observed: ObservedTool, frame: str) -> Transform | None:
    position, rotation = observed.position_m, observed.rotation_xyzw
    has_pose = position is not None and rotation is not None
    is_bare = position is None and rotation is None
    how = "with" if has_pose else "without" if is_bare else "with half of"
    if not (has_pose if observed.validity in _WITH_POSE else is_bare):
        raise _contradiction(
            observed,
            f"a tool that is {observed.validity} {how} a pose",
            "a position and a rotation exactly of tools that are valid or suspect",
        )
    if position is None or rotation is None:
        return None
    if not any(position) and rotation in {(0.0, 0.0, 0.0, 1.0), (0.0, 0.0, 0.0, -1.0)}:
        raise _contradiction(
            observed, "a pose that is exactly the identity", "a measured pose; a Transform that nobody set has this one"
        )
    unity = UnityPose(np.array(position), np.array(rotation), HEADSET, check_frame(frame))
    return pose_from_unity(unity)


def _covariance(observed: ObservedTool) -> Floats | None:
    if observed.covariance is None:
        return None
    unity = np.zeros((6, 6))
    unity[_UPPER] = observed.covariance
    unity = unity + np.triu(unity, 1).T
    values = np.linalg.eigvalsh(unity)
    if values[0] < -_ROUNDING * max(values[-1], 0.0) or values[-1] <= 0.0:
        raise _contradiction(observed, "a covariance with a negative variance", "one with none, and not all of them 0")
    return read_only(covariance_from_unity(unity))


def _contradiction(observed: ObservedTool, came: str, allowed: str) -> InvalidPoseError:
    return InvalidPoseError(
        f"'{observed.tool[:40]}': {came}", allowed, "send what was not seen as lost, without a pose"
    )
