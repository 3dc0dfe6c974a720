"""OpenIGTLink: the protocol (`framing`, `messages`), and the driver of devices that speak it."""

from navigation.devices.openigtlink.driver import DRIVER

__all__ = ["DRIVER"]
