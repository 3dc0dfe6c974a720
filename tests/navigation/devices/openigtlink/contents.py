"""Every kind of content with arbitrary values, for property tests; and equality of contents that hold arrays."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from itertools import chain

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from navigation.devices.openigtlink import messages as m
from navigation.devices.openigtlink.framing import Message

single = st.floats(width=32, allow_nan=False, allow_infinity=False)
vector = st.tuples(single, single, single)
quaternion = st.tuples(single, single, single, single)
columns = st.lists(single, min_size=12, max_size=12).map(tuple)


def text(length: int) -> st.SearchStrategy[str]:
    alphabet = st.characters(codec="utf-8", exclude_characters="\0")
    return st.text(alphabet, max_size=length).filter(lambda t: len(t.encode()) <= length)


kinds = st.sampled_from(m.ToolKind).map(int)
scalars = st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8"])
# Far from the middle of an image its first voxel is only as exact as single precision; whole numbers come back equal.
whole = st.integers(-100, 100).map(float)


@st.composite
def images(draw: st.DrawFn) -> m.Image:
    shape = draw(st.tuples(*[st.integers(1, 3)] * 3)) + draw(st.sampled_from([(), (2,), (3,)]))
    voxels = draw(arrays.arrays(np.dtype(draw(scalars)), shape))
    matrix = np.eye(4)
    matrix[:3] = np.reshape(draw(st.lists(whole, min_size=12, max_size=12)), (3, 4))
    start, beyond = draw(st.tuples(*[st.integers(0, 2)] * 3)), draw(st.tuples(*[st.integers(0, 2)] * 3))
    size = tuple(s + b + n for s, b, n in zip(start, beyond, shape[2::-1], strict=True))
    is_all = size == shape[2::-1]
    return m.Image(voxels, matrix, draw(st.sampled_from(["RAS", "LPS"])), start, None if is_all else size)


@st.composite
def polydata(draw: st.DrawFn) -> m.PolyData:
    count = draw(st.integers(1, 6))
    points = draw(arrays.arrays(np.float32, (count, 3), elements=single))
    index = st.integers(0, count - 1)
    cell = st.lists(index, min_size=1, max_size=5).map(lambda c: [len(c), *c])
    cells = st.lists(cell, max_size=4).map(lambda cs: np.array(list(chain(*cs)), dtype=np.uint32))
    attributes = []
    for kind, width in draw(st.lists(st.sampled_from([(0, 1), (0, 2), (1, 3), (2, 3), (3, 9), (4, 4)]), max_size=3)):
        values = draw(arrays.arrays(np.float32, (draw(st.integers(0, 4)), width), elements=single))
        attributes.append(m.Attribute(draw(text(40)), m.AttributeKind(kind), values, draw(st.booleans())))
    return m.PolyData(points, draw(cells), draw(cells), draw(cells), draw(cells), tuple(attributes))


nd_arrays = st.builds(
    m.NdArray,
    st.sampled_from(["i1", "u1", "i2", "u2", "i4", "u4", "f4", "f8", "c16"]).flatmap(
        lambda kind: arrays.arrays(np.dtype(kind), arrays.array_shapes(max_dims=4, max_side=4))
    ),
)
byte = st.integers(0, 255)
tracking = st.sampled_from(["TDATA", "QTDATA"])
contents = st.one_of(
    st.builds(m.TransformMatrix, columns),
    st.builds(m.Tracking, st.lists(st.builds(m.TrackedTool, text(20), columns, kinds), max_size=4).map(tuple)),
    st.builds(
        m.QuaternionTracking,
        st.lists(st.builds(m.QuaternionTool, text(20), vector, quaternion, kinds), max_size=4).map(tuple),
    ),
    st.builds(m.Position, vector, st.none() | quaternion),
    st.builds(m.StartTracking, tracking, st.integers(0, 2**31 - 1), text(32)),
    st.builds(m.TrackingReply, tracking, st.booleans()),
    st.builds(m.Request, st.sampled_from(["STP_TDATA", "STP_QTDATA", "GET_STATUS", "GET_CAPABIL", "STT_IMAGE"])),
    st.builds(m.Status, st.integers(0, 65535), st.integers(-(2**63), 2**63 - 1), text(20), text(60)),
    st.builds(m.Text, st.text(st.characters(codec="utf-8"), max_size=60)),
    st.builds(m.Capability, st.lists(text(12), max_size=5).map(tuple)),
    st.builds(
        m.Points,
        st.lists(
            st.builds(m.Point, text(64), vector, text(32), st.tuples(byte, byte, byte, byte), single, text(20)),
            max_size=3,
        ).map(tuple),
    ),
    images(),
    nd_arrays,
    polydata(),
    st.builds(m.Unknown, st.just("SENSOR"), st.binary(max_size=60)),
)
stamps = st.none() | st.integers(1, (1 << 32) * 10**9 - 1)


@st.composite
def whole_messages(draw: st.DrawFn) -> Message:
    name, stamp, content = draw(text(20)), draw(stamps), draw(contents)
    if draw(st.booleans()):
        return Message(content, name, stamp)
    values = st.dictionaries(text(20), st.text(st.characters(codec="utf-8"), max_size=30), max_size=3)
    return Message(content, name, stamp, 3, draw(st.integers(0, 2**32 - 1)), draw(values))


def same(left: object, right: object) -> bool:
    """Whether two values are equal in kind, type and every number."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    if is_dataclass(left) and not isinstance(left, type):
        return all(same(getattr(left, each.name), getattr(right, each.name)) for each in fields(left))
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return left == right
