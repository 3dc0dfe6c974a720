"""SurgNav in a script: the verbs of every workshop, each imported when it is first used.

A verb whose packages are not installed raises `MissingExtraError`, which names the extra that brings them.
"""

from geometry.lazy_exports import lazy_exports

__getattr__, __all__ = lazy_exports(__name__, __file__)


def __dir__() -> list[str]:
    return __all__
