"""CT to labelled volumes to surfaces: readers, the segmentation network, surface extraction and the case."""

from geometry.lazy_exports import lazy_exports

__getattr__, __all__ = lazy_exports(__name__, __file__)


def __dir__() -> list[str]:
    return __all__
