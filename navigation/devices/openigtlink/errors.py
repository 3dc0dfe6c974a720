"""The one error of the OpenIGTLink codec."""

from navigation.errors import DeviceError


class LinkError(DeviceError):
    """Bytes that are no OpenIGTLink message, or a message that OpenIGTLink cannot carry."""
