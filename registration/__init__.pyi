from registration.landmarks.correspondence import match_landmarks as match_landmarks
from registration.landmarks.fit import (
    LandmarkRegistration as LandmarkRegistration,
    LandmarkSettings as LandmarkSettings,
    register_landmarks as register_landmarks,
)
from registration.surface.global_start import register_from_nothing as register_from_nothing
from registration.surface.refine import (
    SurfaceFitSettings as SurfaceFitSettings,
    SurfaceRegistration as SurfaceRegistration,
    refine_on_surface as refine_on_surface,
)
from registration.uncertainty.expected_error import (
    ExpectedTre as ExpectedTre,
    PoseUncertainty as PoseUncertainty,
    expected_tre as expected_tre,
)
