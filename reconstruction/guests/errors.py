"""What can go wrong with networks of others."""

from __future__ import annotations

from geometry.errors import SurgNavError


class ModelError(SurgNavError):
    """A network of others that cannot be read, is not supported, has changed, or asks for more trust than it has."""
