"""Exceptions of the wire: one class for each case that a caller handles differently."""

from __future__ import annotations

from geometry.errors import SurgNavError


class WireError(SurgNavError):
    """Base of all errors that a peer's bytes can cause: drop the message, keep the connection."""


class MalformedMessageError(WireError):
    """Bytes that are no valid SurgNav message: truncated, inconsistent, or with values out of range."""


class UnsupportedVersionError(WireError):
    """A message of another major version, whose content must not be interpreted."""


class PeerRefusedError(WireError):
    """The peer answered with an Error message, whose texts this exception holds."""


class EndpointRefusedError(SurgNavError):
    """An address that cannot be bound or connected to: not loopback without keys, in use, or malformed."""


class InvalidPoseError(SurgNavError):
    """A contradictory tool state: a lost tool with a pose, a valid one without, or numbers that are not finite."""


class SurfaceRefusedError(SurgNavError):
    """A surface that must not or cannot be offered or shown: not approved, empty, or beyond the limits."""


class TooManyClientsError(SurgNavError):
    """A client beyond the largest number of clients."""


class UnknownClientError(SurgNavError):
    """A request from a client that has not sent Hello in this session: it should, then repeat the request."""


class UnknownSurfaceError(SurgNavError):
    """A surface, or a part of one, that is not on offer: the client should request the manifest."""


class UnexpectedMessageError(SurgNavError):
    """A well-formed message on the wrong socket."""


class KeyFileError(SurgNavError):
    """A file of keys, an enrolment or an allow list is missing, damaged, readable by others, or exists already."""


class KeyRefusedError(SurgNavError):
    """A client whose key was revoked or has expired: it must be enrolled again, retrying does not help."""


class TooManyRequestsError(SurgNavError):
    """A client that exceeds its rate of requests: it should wait, then repeat the request."""


class RepeatedMessageError(SurgNavError):
    """A request whose sequence number was used before: a repetition or a replay."""


class EventRefusedError(SurgNavError):
    """A client's event that is refused: not allowed, not possible now, or incomplete."""


class SelfTestRequiredError(SurgNavError):
    """An event of a client that has not passed the self-test."""


class UncertainEventError(SurgNavError):
    """An event that an earlier session may have executed: a person has to check, and repeat it if necessary."""


class ReusedNumberError(SurgNavError):
    """An event with the number of a different, earlier one: it is not executed, and the earlier answer is not sent."""


class ForgottenEventError(SurgNavError):
    """An event so old that its answer is no longer kept: it is not executed again."""


class ObservationsRefusedError(SurgNavError):
    """What a headset says that it sees, refused as a whole: unknown tools, a time that cannot be, another's name."""
