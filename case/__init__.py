"""The case: a folder that a person can read, with a manifest of what made what from what; and the files in it."""

from geometry.lazy_exports import lazy_exports

__getattr__, __all__ = lazy_exports(__name__, __file__)


def __dir__() -> list[str]:
    return __all__
