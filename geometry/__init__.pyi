from geometry.clock import Clock as Clock, ManualClock as ManualClock
from geometry.errors import SurgNavError as SurgNavError
from geometry.surface import Surface as Surface
from geometry.transform import Transform as Transform
from geometry.volume import Volume as Volume
