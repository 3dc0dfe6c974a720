"""The shared vocabulary: frames, rigid transforms, volumes, surfaces, errors and time.

Everything is right-handed, in mm, rad and integer nanoseconds. Other packages convert where they read or write.
"""

from geometry.lazy_exports import lazy_exports

__getattr__, __all__ = lazy_exports(__name__, __file__)


def __dir__() -> list[str]:
    return __all__
