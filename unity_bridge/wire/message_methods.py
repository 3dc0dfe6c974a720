"""Methods of generated messages: the base classes that wire_schema.toml names as `python_methods`."""

from __future__ import annotations

from typing import Any, Self

from geometry.errors import SurgNavError
from unity_bridge.errors import PeerRefusedError, SurfaceRefusedError


class ErrorMethods:
    """Converts an exception to an Error message, and back."""

    code: Any
    came: Any
    allowed: Any
    action: Any

    @classmethod
    def of(cls, error: SurgNavError, answers_sequence: int = 0) -> Self:
        """The Error message for `error`; its texts are truncated, since they may quote what the peer sent."""
        came, allowed, action = (text[:200] for text in (error.came, error.allowed, error.action))
        code = type(error).__name__.removesuffix("Error")
        values: dict[str, Any] = {"code": code, "came": came, "allowed": allowed, "action": action}
        return cls(**values | {"answers_sequence": answers_sequence})

    def as_exception(self) -> PeerRefusedError:
        """The exception for an Error message of the peer."""
        return PeerRefusedError(f"a refusal by the peer ({self.code}) of {self.came}", self.allowed, self.action)


class SurfaceEntryMethods:
    """Whether a surface may be shown."""

    name: Any
    approval: Any
    approved_by: Any

    def check_approval(self, suggestions_allowed: bool) -> None:
        """Raises `SurfaceRefusedError` unless a named person approved the surface, or it is an allowed suggestion."""
        if self.approval in {"approved", "edited"} and self.approved_by.strip():
            return
        if self.approval == "suggested" and suggestions_allowed:
            return
        raise SurfaceRefusedError(
            f"the surface '{self.name}' with approval '{self.approval}' by '{self.approved_by}'",
            "'approved' or 'edited' by a named person; 'suggested' in a research session that says so on screen",
            "have it approved, or start a research session",
        )
