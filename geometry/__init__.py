"""The shared vocabulary: frames, rigid transforms, volumes, surfaces, errors and time.

Everything is right-handed, in mm, rad and integer nanoseconds. Other packages convert where they read or write.
"""

from geometry.clock import Clock, ManualClock
from geometry.errors import SurgNavError
from geometry.surface import Surface
from geometry.transform import Transform
from geometry.volume import Volume

__all__ = ["Clock", "ManualClock", "Surface", "SurgNavError", "Transform", "Volume"]
