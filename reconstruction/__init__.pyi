from reconstruction.ct.choice import CtChoice as CtChoice
from reconstruction.ct.inspection import inspect as inspect
from reconstruction.ct.read import read_ct as read_ct
from reconstruction.ct.scan import CtScan as CtScan
from reconstruction.labels.read import LabelReading as LabelReading, read_labels as read_labels
from reconstruction.network.segmentation import (
    Segmentation as Segmentation,
    SegmentationSettings as SegmentationSettings,
    segment as segment,
)
from reconstruction.phantom.torso import (
    TorsoPhantomSettings as TorsoPhantomSettings,
    make_torso_phantom as make_torso_phantom,
)
from reconstruction.pipeline import (
    ReconstructionSettings as ReconstructionSettings,
    reconstruct as reconstruct,
    reconstruct_from_labels as reconstruct_from_labels,
)
from reconstruction.skin_markers.find import find_skin_markers as find_skin_markers
from reconstruction.surfaces.bone_refinement import refine_bone as refine_bone
from reconstruction.surfaces.extract import (
    ExtractedSurface as ExtractedSurface,
    SurfaceSettings as SurfaceSettings,
    extract_surface as extract_surface,
)
from reconstruction.surfaces.from_labels import (
    LabelSurfaceSettings as LabelSurfaceSettings,
    surface_from_labels as surface_from_labels,
    surfaces_from_labels as surfaces_from_labels,
)
from reconstruction.surfaces.simplification import (
    simplify_surface as simplify_surface,
    surface_distance as surface_distance,
)
