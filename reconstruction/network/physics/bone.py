"""Bone from the CT, with a network's probabilities as the prior.

How dense bone and soft tissue are differs from scan to scan: contrast medium, tube voltage, slice thickness, age. So
the scan itself says: over its voxels, weighted by the network's probability, the frequencies of what a voxel looks like
in bone and elsewhere are counted, and the posterior of one round is the weight of the next (expectation maximisation).
A voxel looks like three things: its HU, the densest HU near it (marrow and cortex lie together), and along how many of
six directions something dense lies near (marrow is enclosed, a spinal canal along four, muscle beside a rib along one).
An enhanced aorta looks like marrow by HU, but not where the network says what lies where.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geometry.points import Bools, Floats, Singles

LEAST_HU = -300.0  # no bone is thinner; fatty marrow has -100 and less at a border with noise
NEAR_MM = 7.5  # edge of the cube for the densest HU nearby
DENSE_HU = 160.0  # what encloses
REACH_MM = 18.0  # as far as a vertebral body is deep by half
LIKELY = 0.1  # prior from which on a voxel is looked at even where nothing is dense
ROUNDS = 3
TRUST = 4.0  # the counts may change the log-odds by this much
NEIGHBOURS = 3.0  # log-odds between all neighbours bone and none
PRIOR_LIMITS = (0.03, 0.97)
_SPARSE = 5.0  # voxels of the mean composition that are added to every bin
_HU_EDGES = np.array([-50, -20, *range(0, 200, 20), *range(200, 300, 25), 300, 350, 400, 450, 500, 600, 700, 900, 1200])
_NEAR_EDGES = np.array([100, 150, 200, 250, 300, 400, 500, 700])


def bone_posterior(hu: Singles, prior: Singles, inside: Bools, spacing_mm: float) -> Singles:
    """Probability of bone ``(nk, nj, ni)``.

    Args:
        hu: ``(nk, nj, ni)``.
        prior: the network's probability of bone on the same grid.
        inside: the patient without his lungs.
        spacing_mm: isotropic.
    """
    near = ndimage.maximum_filter(hu, size=max(3, round(NEAR_MM / spacing_mm)))
    open_to = inside & (hu > LEAST_HU) & ((near > DENSE_HU) | (prior > LIKELY))
    posterior = np.zeros(hu.shape, np.float32)
    if not open_to.any():
        return posterior
    box = ndimage.find_objects(open_to.astype(np.uint8))[0]
    open_to, near, prior = open_to[box], near[box], prior[box]
    enclosed = enclosing_directions((hu[box] > DENSE_HU) & inside[box], round(REACH_MM / spacing_mm))[open_to]
    looks = (np.digitize(hu[box][open_to], _HU_EDGES), np.digitize(near[open_to], _NEAR_EDGES), enclosed)
    sides = (len(_HU_EDGES) + 1, len(_NEAR_EDGES) + 1, 7)
    key = np.ravel_multi_index(looks, sides)
    given = np.clip(prior[open_to], *PRIOR_LIMITS)
    odds = np.log(given / (1.0 - given))
    weight, found = prior[open_to], posterior[box]
    for _ in range(ROUNDS):
        evidence = odds + _evidence(key, weight, sides).ravel()[key].astype(np.float32)
        weight = _settled(evidence, open_to, found)
    return posterior


def enclosing_directions(dense: Bools, reach: int) -> NDArray[np.uint8]:
    """Along how many of the six axis directions something dense lies within `reach` voxels: uint8, 0 to 6."""
    count = np.zeros(dense.shape, np.uint8)
    for axis in range(3):
        count += _behind(dense, axis, reach)
        count += np.flip(_behind(np.flip(dense, axis), axis, reach), axis)
    return count


def _behind(dense: Bools, axis: int, reach: int) -> Bools:
    """True where something dense lies at the voxel, or up to `reach` voxels before it along an axis."""
    place = np.arange(dense.shape[axis], dtype=np.int16).reshape([-1 if a == axis else 1 for a in range(3)])
    last = np.maximum.accumulate(np.where(dense, place, np.int16(-reach - 1)), axis=axis)
    return np.asarray(place - last <= reach)


def _evidence(key: NDArray[np.int64], weight: Singles, sides: tuple[int, int, int]) -> Floats:
    """Log-ratio of how often bone, and what is none, looks like each bin."""
    size = int(np.prod(sides))
    bone = np.bincount(key, weights=weight, minlength=size).reshape(sides)
    other = np.bincount(key, weights=1.0 - weight, minlength=size).reshape(sides)
    base = float(np.clip(bone.sum() / (bone.sum() + other.sum()), 1e-3, 1.0 - 1e-3))
    bone, other = (ndimage.gaussian_filter(counts, (0.5, 0.4, 0.3)) for counts in (bone, other))
    share = (bone + _SPARSE * base) / (bone + other + _SPARSE)
    ratio = np.log(np.maximum(share, 1e-6) / np.maximum(1.0 - share, 1e-6)) - np.log(base / (1.0 - base))
    return np.asarray(np.clip(ratio, -TRUST, TRUST))


def _settled(evidence: Singles, where: Bools, found: Singles, times: int = 2) -> Singles:
    """Posterior with the neighbours' say (mean field of an Ising model), written into `found` too."""
    found[where] = _logistic(evidence)
    for _ in range(times):
        around = ndimage.uniform_filter(found, 3, mode="nearest")[where]
        found[where] = _logistic(evidence + np.float32(NEIGHBOURS) * (2.0 * around - 1.0))
    return np.asarray(found[where])


def _logistic(odds: Singles) -> Singles:
    return np.asarray(1.0 / (1.0 + np.exp(-odds)), np.float32)
