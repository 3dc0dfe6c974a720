"""What can go wrong on the wire, one class per decision that a caller can make."""

from __future__ import annotations

from geometry.errors import SurgNavError


class WireError(SurgNavError):
    """Base of everything that a peer's bytes can cause: drop the message, keep the connection."""


class MalformedMessageError(WireError):
    """Bytes that are no SurgNav message: truncated, inconsistent, or with values that cannot be."""


class UnsupportedVersionError(WireError):
    """A message of another major version: nothing in it may be interpreted."""


class PeerRefusedError(WireError):
    """The peer answered with an Error message; its words are this error's words."""


class EndpointRefusedError(SurgNavError):
    """An address that this program does not bind: not loopback and without keys, in use, or not an address."""


class InvalidPoseError(SurgNavError):
    """A tool state that would lie: a lost tool with a pose, a valid one without, numbers that are not finite."""


class SurfaceRefusedError(SurgNavError):
    """A surface that must not, or cannot, be shown: not approved, empty, or beyond the limits."""


class TooManyClientsError(SurgNavError):
    """A client that would be one too many."""


class UnknownClientError(SurgNavError):
    """A request from a client that has not said Hello to this run of the server: it should, then ask again."""


class UnknownSurfaceError(SurgNavError):
    """A surface, or a part of one, that is not on offer: the client should ask for the manifest."""


class UnexpectedMessageError(SurgNavError):
    """A well-formed message on the wrong socket."""


class KeyFileError(SurgNavError):
    """Keys, an enrolment or an allow list that cannot be used: missing, damaged, open to others, or there already."""


class KeyRefusedError(SurgNavError):
    """A client whose key is no longer good: revoked or expired. It must be enrolled anew; trying again is useless."""


class TooManyRequestsError(SurgNavError):
    """A client that asks more often than it may: it should wait, then ask again."""


class RepeatedMessageError(SurgNavError):
    """A request whose sequence number was there already: a copy, not a new request."""


class EventRefusedError(SurgNavError):
    """A client's event that is not done: not allowed here, not possible now, or not whole."""


class SelfTestRequiredError(SurgNavError):
    """An event of a client that has not shown that it places things where they are."""


class UncertainEventError(SurgNavError):
    """An event that an earlier run of the server may have done: a person has to look, and do it again if it was not."""


class ReusedNumberError(SurgNavError):
    """An event under the number of another one: it is not done, and the other one's answer is not its answer."""


class ForgottenEventError(SurgNavError):
    """An event so old that it is no longer known what became of it: it is not done again."""
