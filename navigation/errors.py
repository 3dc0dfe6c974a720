"""Decisions that a caller of the operating room can make."""

from geometry.errors import SurgNavError


class DeviceError(SurgNavError):
    """A device that is not known, not configured, or does not answer."""


class PlanError(SurgNavError):
    """A plan that this case does not allow, such as no reachable skin for landmarks."""


class AcquisitionError(SurgNavError):
    """Measurements that could not be collected: the tool never seen, or never still."""


class ServiceError(SurgNavError):
    """The service did not start, did not answer, or stopped by itself."""


class EventLogError(ServiceError):
    """The log of what was done at headsets cannot be written: then nothing may be done there."""


class DemoDataError(SurgNavError):
    """The demo's CT could not be brought, or is not what it should be."""


class RenderingError(SurgNavError):
    """A picture that this machine cannot draw."""


class ReviewError(SurgNavError):
    """A decision on a structure that is not whole."""


class MarkersError(SurgNavError):
    """Skin markers that cannot be looked for, or that would overwrite somebody's landmarks."""
