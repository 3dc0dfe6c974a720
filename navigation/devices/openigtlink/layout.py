"""Which frames the names at the device speak of, and so what its tools are relative to.

``StylusToTracker`` is the pose of ``Stylus`` in ``Tracker``, as in PLUS and SlicerIGT; a name without ``To`` is a pose
in the device's own frame. The frame ``tracker`` of the device is one of these two:

- the frame that all tools are given in, as in ``StylusToTracker`` and ``ReferenceToTracker``;
- the reference's marker, if tools are given relative to it, as in ``StylusToReference`` beside ``ReferenceToTracker``:
  the reference is then where it is by definition, whenever the device sees it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from navigation.devices.driver import Device, Role, StampClock, Tool

WIRE_NAME_BYTES = 20
_JOINT = re.compile(r"(?<=[a-z0-9_])To(?=[A-Z])")


@dataclass(frozen=True)
class Layout:
    """What the tools of a device are relative to.

    Attributes:
        tools: by the name that is on the wire.
        reference: the name on the wire of the reference, if its marker is the frame ``tracker``; None otherwise.
        composed: names on the wire of tools that are given in the same frame as that reference, and not relative to it.
    """

    tools: dict[str, Tool]
    reference: str | None = None
    composed: frozenset[str] = frozenset()


def frames_of(name: str) -> tuple[str, str]:
    """The frames of a name, such as Stylus and Tracker; the second one is empty for a name without ``To``.

    A name with several ``To`` is split at the first; `mistakes_of` refuses it.
    """
    moving, _, fixed = _JOINT.sub("\0", name, count=1).partition("\0")
    return moving, fixed


def layout_of(device: Device) -> Layout:
    """The layout of a device in which `mistakes_of` finds nothing."""
    tools = {wire_name(tool.id): tool for tool in device.tools}
    reference = next((tool for tool in device.tools if tool.role is Role.REFERENCE), None)
    if reference is None:
        return Layout(tools)
    marker, fixed = frames_of(reference.id)
    others = {tool.id: frames_of(tool.id)[1] for tool in device.tools if tool is not reference}
    if marker not in others.values():
        return Layout(tools)
    composed = frozenset(wire_name(name) for name, its in others.items() if its == fixed)
    return Layout(tools, wire_name(reference.id), composed)


def mistakes_of(device: Device) -> list[str]:
    """What is wrong with the names of the tools, a sentence each."""
    where = f"[devices.{device.name}]"
    sentences = []
    wire_names: dict[str, str] = {}
    for tool in device.tools:
        if len(_JOINT.findall(tool.id)) > 1:
            sentences.append(
                f"[tools.{tool.name}] got id = {tool.id!r}, with 'To' more than once; expected two frames, as in "
                "'StylusToTracker'. Fix: rename the transform at the device."
            )
        other = wire_names.setdefault(wire_name(tool.id), tool.name)
        if other != tool.name:
            sentences.append(
                f"[tools.{tool.name}] got id = {tool.id!r}, whose first {WIRE_NAME_BYTES} bytes are those of "
                f"[tools.{other}]; expected names that differ there, because OpenIGTLink sends no more. Fix: shorten "
                "the names at the device."
            )
    return sentences + [f"{where} {sentence}" for sentence in _mixtures(device)]


def _mixtures(device: Device) -> list[str]:
    """Tools that are given in frames that nothing joins, or that nothing joins in time."""
    fixed = {tool.id: frames_of(tool.id)[1] for tool in device.tools}
    reference = next((tool for tool in device.tools if tool.role is Role.REFERENCE), None)
    if reference is None:
        is_joined, expected = len(set(fixed.values())) <= 1, "all tools in one frame"
    else:
        marker = frames_of(reference.id)[0]
        is_joined = set(fixed.values()) <= {marker, fixed[reference.id]}
        expected = f"tools in the frame of {reference.id}, or relative to {marker}"
    if not is_joined:
        told = ", ".join(f"{name} in {frame or 'its own frame'}" for name, frame in fixed.items())
        return [
            f"got frames that nothing joins: {told}; expected {expected}. Fix: let the device send such transforms."
        ]
    others = {frame for name, frame in fixed.items() if reference is None or name != reference.id}
    if len(others) > 1 and device.stamps.clock is not StampClock.SENSOR:
        return [
            f"got tools in {' and in '.join(sorted(others))} with clock = 'arrival'; expected clock = 'sensor', "
            "because only poses of one time can be put together. Fix: set it, or let the device send all "
            "of them in one frame."
        ]
    return []


def wire_name(name: str) -> str:
    """As much of a name as OpenIGTLink sends."""
    return name.encode()[:WIRE_NAME_BYTES].decode(errors="ignore")
