"""CT to patient: landmarks, then the surface, and the error to expect at any point.

FRE is not accuracy: accuracy at a target is what `expected_tre` estimates and a verification touch measures.
"""

from registration.landmarks.correspondence import match_landmarks
from registration.landmarks.fit import register_landmarks
from registration.surface.global_start import register_from_nothing
from registration.surface.refine import refine_on_surface
from registration.uncertainty.expected_error import expected_tre

__all__ = ["expected_tre", "match_landmarks", "refine_on_surface", "register_from_nothing", "register_landmarks"]
