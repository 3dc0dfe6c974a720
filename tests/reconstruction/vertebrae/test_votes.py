"""Votes gather at the centroids, even where every offset is too short."""

import numpy as np
import pytest

from reconstruction.phantom.spine_evidence import Disturbance, evidence_of
from reconstruction.vertebrae.anatomy import USUAL
from reconstruction.vertebrae.votes import gather_votes
from tests.reconstruction.vertebrae.spines import spine


@pytest.mark.parametrize("short", [1.0, 0.6])
def test_votes_gather_at_the_centroids_of_all_vertebrae(short: float):
    labels, names = spine(USUAL.levels[17:])
    evidence = evidence_of(labels, names, Disturbance(short=short))
    found = gather_votes(evidence, evidence.offsets_mm)
    voxels = np.asarray(labels.voxels)
    for value in range(1, 8):
        centroid = labels.index_to_mm(np.argwhere(voxels == value)[:, ::-1]).mean(axis=0)
        off = np.linalg.norm(found.centres_mm - centroid, axis=1)
        # A network's voxel; four steps at 0.6 leave one hundredth of the longest way, which is 40 mm.
        assert off.min() < 3.0
        assert found.volumes_ml[off.argmin()] > 0.8 * (voxels == value).sum() * labels.voxel_volume_ml
