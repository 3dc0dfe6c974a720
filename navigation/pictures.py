"""Three pictures of a case: slices with labels and uncertainty, the registered scene, and the residuals."""

from navigation.picture_residuals import ResidualPictureData, residual_picture
from navigation.picture_scene import ScenePictureSettings, SceneTool, scene_picture
from navigation.picture_slices import SlicePictureSettings, slice_picture

__all__ = [
    "ResidualPictureData",
    "ScenePictureSettings",
    "SceneTool",
    "SlicePictureSettings",
    "residual_picture",
    "scene_picture",
    "slice_picture",
]
