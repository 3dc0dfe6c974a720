"""The kinds of messages, one class each, that pack themselves and are made by `content_of`.

>>> from navigation.devices.openigtlink.messages import Text, content_of
>>> content_of("STRING", Text("ready").pack())
Text(text='ready')
"""

from navigation.devices.openigtlink.messages.arrays import Image, NdArray
from navigation.devices.openigtlink.messages.kinds import KINDS, Unknown, content_of
from navigation.devices.openigtlink.messages.points import Point, Points
from navigation.devices.openigtlink.messages.polydata import Attribute, AttributeKind, PolyData
from navigation.devices.openigtlink.messages.poses import (
    Position,
    QuaternionTool,
    QuaternionTracking,
    ToolKind,
    TrackedTool,
    Tracking,
    TransformMatrix,
)
from navigation.devices.openigtlink.messages.requests import Request, StartTracking, TrackingReply
from navigation.devices.openigtlink.messages.texts import Capability, Status, StatusCode, Text

__all__ = [
    "KINDS",
    "Attribute",
    "AttributeKind",
    "Capability",
    "Image",
    "NdArray",
    "Point",
    "Points",
    "PolyData",
    "Position",
    "QuaternionTool",
    "QuaternionTracking",
    "Request",
    "StartTracking",
    "Status",
    "StatusCode",
    "Text",
    "ToolKind",
    "TrackedTool",
    "Tracking",
    "TrackingReply",
    "TransformMatrix",
    "Unknown",
    "content_of",
]
