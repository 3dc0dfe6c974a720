"""An instrument and its marker: where the tip is, and how well that is known."""

from geometry.lazy_exports import lazy_exports

__getattr__, __all__ = lazy_exports(__name__, __file__)


def __dir__() -> list[str]:
    return __all__
