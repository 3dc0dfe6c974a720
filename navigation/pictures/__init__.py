"""Three pictures of a case: slices with labels and uncertainty, the registered scene, and the residuals."""

from navigation.pictures.residuals import ResidualPictureData, residual_picture
from navigation.pictures.scene import ScenePictureData, ScenePictureSettings, ScenePlane, SceneTool, scene_picture
from navigation.pictures.slices import SlicePictureSettings, slice_picture

__all__ = [
    "ResidualPictureData",
    "ScenePictureData",
    "ScenePictureSettings",
    "ScenePlane",
    "SceneTool",
    "SlicePictureSettings",
    "residual_picture",
    "scene_picture",
    "slice_picture",
]
