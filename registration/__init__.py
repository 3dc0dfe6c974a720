"""Registration of the CT to the patient: landmarks, then a swept surface, and the expected error at any target.

FRE is not accuracy: accuracy at a target is what `expected_tre` estimates and a verification touch measures.

Rooms:
    measurements.py: what was measured at the patient. assumptions.py: what is assumed about the errors.
    register.py: one call from measurements to a pose, its expected error and the findings for the verdict.
    marks.py: the touched landmarks with their kinds; the pose from them; leave-one-out.
    landmarks/: a pose from paired landmarks, in known or unknown order; checks that refuse impossible pairs.
    surface/: a pose from swept points: robust ICP, search without an initial pose, ultrasound points of bone.
    distance/: signed distance to a triangle surface, exact and on grids.
    uncertainty/: FLE, shared errors, covariance of the pose, expected TRE.
    verdict/: `accept`, `check` or `refuse` with the reasons; verification touches; the most useful next touch.
    record/: plans, point files, attempts and the registration in force, as kept in the case folder.
    errors.py: what registration refuses.
"""

from geometry.lazy_exports import lazy_exports

__getattr__, __all__ = lazy_exports(__name__, __file__)


def __dir__() -> list[str]:
    return __all__
