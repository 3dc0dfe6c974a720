from calibration.pivot.pivot import (
    PivotCalibration as PivotCalibration,
    calibrate_pivot as calibrate_pivot,
)
from calibration.pivot.settings import PivotSettings as PivotSettings
from calibration.pivot.spin import (
    SpinCalibration as SpinCalibration,
    SpinSettings as SpinSettings,
    calibrate_spin as calibrate_spin,
)
from calibration.result import CalibrationResult as CalibrationResult, read_result as read_result
from calibration.streams import PoseStream as PoseStream
from case.case import Case as Case
from case.markups import Markups as Markups, read_markups as read_markups, write_markups as write_markups
from case.mesh_files import read_surface as read_surface, write_surface as write_surface
from case.nifti_files import write_nifti as write_nifti
from geometry.errors import SurgNavError as SurgNavError
from geometry.extras import MissingExtraError as MissingExtraError
from geometry.surface import Surface as Surface
from geometry.transform import Transform as Transform
from geometry.volume import Volume as Volume
from navigation.clock import MonotonicClock as MonotonicClock
from navigation.commands.serve.command import ServeRequest as ServeRequest
from navigation.commands.serve.run import serve as serve
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
from unity_bridge.client import (
    ClientSettings as ClientSettings,
    Endpoints as Endpoints,
    ReferenceClient as ReferenceClient,
)
from unity_bridge.control.server import ControlServer as ControlServer
from unity_bridge.poses.publisher import PosePublisher as PosePublisher
from unity_bridge.poses.tool_state import ToolState as ToolState
from unity_bridge.surfaces.payload import decode_surface as decode_surface, encode_surface as encode_surface
from unity_bridge.surfaces.server import SurfaceServer as SurfaceServer
