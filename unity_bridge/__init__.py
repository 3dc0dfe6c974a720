"""The server and the wire protocol for headsets: poses, surfaces and control over ZeroMQ, in Unity's convention.

Rooms:
    wire/: envelope, schema, messages, conversion to Unity's convention. Every byte: docs/unity_bridge/protocol.md.
    transport/: sockets, connections, authentication by keys, rate limits.
    poses/: tool states, pose batches and the publisher.
    surfaces/: encoding, levels of detail, compression, and the surface server.
    control/: sessions of clients, events in both directions, the self-test of clients.
    client/: the reference client in Python.
    unity/: the client in C#, as a Unity package.
    errors.py: exceptions of the wire.
"""

from geometry.lazy_exports import lazy_exports

__getattr__, __all__ = lazy_exports(__name__, __file__)


def __dir__() -> list[str]:
    return __all__
