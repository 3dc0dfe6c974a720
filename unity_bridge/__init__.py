"""The wire between SurgNav and headsets: Unity's convention, poses, surfaces and control over ZeroMQ.

``unity_bridge.client`` is the other end, in Python. docs/protocol.md is the wire, byte by byte.
"""

from geometry.lazy_exports import lazy_exports

__getattr__, __all__ = lazy_exports(__name__, __file__)


def __dir__() -> list[str]:
    return __all__
