"""Run by the tests in a process of its own, with 3D Slicer's core on its path: what Slicer makes of files.

``by_slicer FILE...`` prints one line of JSON: for each file its points or matrices, in mm and in Slicer's world, RAS;
for each scene those of all its nodes, by their names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import slicer
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonMath import vtkMatrix4x4


def _markup(scene: Any, path: str) -> dict[str, Any]:
    kind = json.loads(Path(path).read_text("utf-8"))["markups"][0]["type"]
    node = getattr(slicer, f"vtkMRMLMarkups{kind}Node")()
    _read(scene, slicer.vtkMRMLMarkupsJsonStorageNode(), node, path)
    position = [0.0, 0.0, 0.0]
    points = []
    for index in range(node.GetNumberOfControlPoints()):
        node.GetNthControlPointPositionWorld(index, position)
        points.append([node.GetNthControlPointLabel(index), node.GetNthControlPointDescription(index), *position])
    return {"name": node.GetName(), "points": points}


def _model(scene: Any, path: str) -> dict[str, Any]:
    node = slicer.vtkMRMLModelNode()
    _read(scene, slicer.vtkMRMLModelStorageNode(), node, path)
    shown = node.GetPolyData()
    cells = shown.GetPolys()
    return {
        "points": vtk_to_numpy(shown.GetPoints().GetData()).tolist(),
        "triangles": vtk_to_numpy(cells.GetConnectivityArray()).reshape(-1, 3).tolist(),
    }


def _volume(scene: Any, path: str) -> dict[str, Any]:
    node = slicer.vtkMRMLScalarVolumeNode()
    _read(scene, slicer.vtkMRMLVolumeArchetypeStorageNode(), node, path)
    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    voxels = vtk_to_numpy(node.GetImageData().GetPointData().GetScalars())
    shape = node.GetImageData().GetDimensions()
    return {
        "T_ras_ijk": [[matrix.GetElement(row, column) for column in range(4)] for row in range(4)],
        "shape_ijk": list(shape),
        "voxels": voxels.tolist(),
    }


def _segmentation(scene: Any, path: str) -> dict[str, Any]:
    """Each segment by its name: its colour and the centres of its voxels in RAS."""
    node = slicer.vtkMRMLSegmentationNode()
    _read(scene, slicer.vtkMRMLSegmentationStorageNode(), node, path)
    segmentation, matrix, found = node.GetSegmentation(), vtkMatrix4x4(), {}
    for number in range(segmentation.GetNumberOfSegments()):
        segment, image = segmentation.GetNthSegment(number), slicer.vtkOrientedImageData()
        node.GetBinaryLabelmapRepresentation(segmentation.GetNthSegmentID(number), image)
        image.GetImageToWorldMatrix(matrix)
        first_i, last_i, first_j, last_j, first_k, last_k = image.GetExtent()
        shape = last_k - first_k + 1, last_j - first_j + 1, last_i - first_i + 1
        voxels = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape)
        points = []
        for k, j, i in zip(*(axis.tolist() for axis in voxels.nonzero()), strict=True):
            points.append(matrix.MultiplyPoint([i + first_i, j + first_j, k + first_k, 1.0])[:3])
        found[segment.GetName()] = {"colour": segment.GetColor(), "points": points}
    return found


def _transform(scene: Any, path: str) -> dict[str, Any]:
    node = slicer.vtkMRMLLinearTransformNode()
    _read(scene, slicer.vtkMRMLTransformStorageNode(), node, path)
    matrix = vtkMatrix4x4()
    node.GetMatrixTransformToParent(matrix)
    return {"T_ras_device": [[matrix.GetElement(row, column) for column in range(4)] for row in range(4)]}


def _scene(_: Any, path: str) -> dict[str, Any]:
    """All nodes of a scene that hold something: models by their number of points, curves by their points."""
    scene = slicer.vtkMRMLScene()
    scene.RegisterNodeClass(slicer.vtkMRMLMarkupsJsonStorageNode())  # as the module Markups of the whole program does
    scene.SetURL(path)
    scene.SetRootDirectory(path.rpartition("/")[0])
    if scene.Connect() != 1:
        raise SystemExit(f"3D Slicer cannot open {path}")
    found: dict[str, Any] = {}
    for index in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(index)
        if node.IsA("vtkMRMLModelNode"):
            found[node.GetName()] = node.GetPolyData().GetNumberOfPoints()
        elif node.IsA("vtkMRMLMarkupsNode"):
            position, points = [0.0, 0.0, 0.0], []
            for number in range(node.GetNumberOfControlPoints()):
                node.GetNthControlPointPositionWorld(number, position)
                points.append([*position])
            found[node.GetName()] = points
        elif node.IsA("vtkMRMLTransformNode"):
            matrix = vtkMatrix4x4()
            node.GetMatrixTransformToParent(matrix)
            found[node.GetName()] = [[matrix.GetElement(row, column) for column in range(4)] for row in range(4)]
    return found


def _read(scene: Any, storage: Any, node: Any, path: str) -> None:
    scene.AddNode(storage)
    storage.SetFileName(path)
    scene.AddNode(node)
    if storage.ReadData(node) != 1:
        raise SystemExit(f"3D Slicer cannot read {path}: {storage.GetUserMessages().GetAllMessagesAsString()}")


if __name__ == "__main__":
    made = slicer.vtkMRMLScene()
    readers = {"json": _markup, "gz": _volume, "mha": _volume, "nrrd": _segmentation, "tfm": _transform, "mrml": _scene}
    answers = [readers.get(file.rpartition(".")[2], _model)(made, file) for file in sys.argv[1:]]
    sys.stdout.write(json.dumps(answers) + "\n")
