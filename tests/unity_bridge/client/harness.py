"""Settings of a client that gives up soon."""

from unity_bridge.client import ClientSettings
from unity_bridge.client.control_link import ControlSettings
from unity_bridge.client.surfaces.puller import PullerSettings

# Links are given up after 0.2 s rather than 1 s, so that broken ones do not make the tests slow.
IMPATIENT = ClientSettings(
    puller=PullerSettings(timeout_ns=200_000_000, refresh_ns=200_000_000),
    control=ControlSettings(retry_ns=200_000_000, exchange_every_ns=200_000_000),
)
