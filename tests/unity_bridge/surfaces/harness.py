"""Two surfaces with their levels of detail, and a client that pulls them."""

import dataclasses

from tests.unity_bridge.client.harness import IMPATIENT
from tests.unity_bridge.harness import CLOCK, Server
from tests.unity_bridge.strategies import bumpy_sphere
from unity_bridge.client import ReferenceClient
from unity_bridge.surfaces.levels import EncodedLevel, encode_level

PERSON = ("approved", "Dr. A. Example")


def named(surface, name: str):
    return dataclasses.replace(surface, name=name)


def levels(name: str) -> list[EncodedLevel]:
    """Three levels of one surface; what they say of their deviation is not what is tested here."""
    rows = (6, 20, 60)
    return [
        encode_level(named(bumpy_sphere(n, n), name), deviation, deviation / 2)
        for n, deviation in zip(rows, (9.0, 1.0, 0.0), strict=True)
    ]


LIVER, SPLEEN = levels("liver"), levels("spleen")


def client_with(server: Server, surfaces: str | None = None, **settings) -> ReferenceClient:
    where = dataclasses.replace(server.endpoints, surfaces=surfaces or server.surfaces.endpoint)
    puller = dataclasses.replace(IMPATIENT.puller, **settings)
    return ReferenceClient(where, CLOCK, dataclasses.replace(IMPATIENT, puller=puller))
