"""The errors of navigation: one class for each decision that a caller can make."""

from geometry.errors import SurgNavError


class DeviceError(SurgNavError):
    """A device is not known, not configured, or does not answer."""


class PlanError(SurgNavError):
    """This case does not allow the plan: for example, no skin that the landmarks could lie on."""


class AcquisitionError(SurgNavError):
    """A measurement could not be made: the tool was never visible or never still, or the tracker gave no frames."""


class ServiceError(SurgNavError):
    """The service did not start, did not answer, or stopped by itself."""


class RecordingError(SurgNavError):
    """A recording cannot be written or read, or does not hold what was asked of it."""


class EventLogError(ServiceError):
    """The log of events from headsets cannot be written; without it no event is carried out."""


class DemoDataError(SurgNavError):
    """The demo's CT could not be downloaded, or has the wrong content."""


class RenderingError(SurgNavError):
    """This machine cannot draw a picture."""


class ReviewError(SurgNavError):
    """A decision on a structure is incomplete."""


class MarkersError(SurgNavError):
    """Skin markers cannot be searched for, or would overwrite landmarks that a person placed."""


class RoomError(SurgNavError):
    """A room file cannot be read, holds mistakes, or lacks the tool that was asked for."""
