"""A CT drawn from a label map: HU where they must be, labels that fit, the same for the same seed."""

from pathlib import Path

import numpy as np
import pytest

from reconstruction.network.classes import CLASS_INDEX, OUTSIDE_INDEX
from reconstruction.training.synthesis.artefacts import scan
from reconstruction.training.synthesis.synthesise import synthesise
from reconstruction.training.synthesis.tissues import (
    CORTEX_HU,
    CORTEX_OVER_MARROW_HU,
    MARROW_HU,
    NATIVE_HU,
    UPTAKE_HU,
    draw_part_hu,
    draw_uptake,
)
from reconstruction.training.synthesis.volume import LabelVolume
from tests.reconstruction.training.synthesis.made_map import SPACING_MM, made_map, made_volume

# A slab of the map with room for the skin on all sides: all structures are in it.
SLAB = (slice(18, 36), slice(20, -20), slice(20, -20))


@pytest.fixture(scope="module")
def volume(tmp_path_factory: pytest.TempPathFactory) -> LabelVolume:
    return made_volume(tmp_path_factory.mktemp("map"))[0]


def test_every_vertebra_is_kept_also_the_sixth(volume: LabelVolume):
    voxel_ml = volume.spacing_mm**3 / 1000
    for n in range(1, 7):
        layers = [i for i, part in enumerate(volume.compartments) if part.label == f"vertebrae_L{n}"]
        ml = (volume.shares * np.isin(volume.parts, layers)).sum() / 255 * voxel_ml
        assert ml == pytest.approx(12 * 18 * 20 * SPACING_MM**3 / 1000, rel=0.02)


def test_between_vertebrae_is_disc(volume: LabelVolume):
    disc = next(i for i, part in enumerate(volume.compartments) if part.kind == "disc")
    ml = (volume.shares * (volume.parts == disc)).sum() / 255 * volume.spacing_mm**3 / 1000
    assert ml == pytest.approx(5 * 6 * 18 * 20 * SPACING_MM**3 / 1000, rel=0.02)


def test_cortex_and_marrow_are_drawn_apart_and_the_cortex_is_denser(volume: LabelVolume):
    cortex, marrow = [], []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        means = draw_part_hu(volume.compartments, draw_uptake(rng), rng).means
        for part, mean in zip(volume.compartments, means, strict=True):
            if part.layer == "cortex":
                low, high = CORTEX_HU[part.kind]
                assert low <= mean <= high
            if part.layer == "marrow":
                low, high = MARROW_HU[part.kind]
                assert low - 1e-3 <= mean <= high + 1e-3
        by_layer = {(p.label, p.layer): m for p, m in zip(volume.compartments, means, strict=True) if p.layer}
        assert by_layer["hip_left", "cortex"] >= by_layer["hip_left", "marrow"] + CORTEX_OVER_MARROW_HU - 1e-3
        cortex.append(by_layer["vertebrae_L1", "cortex"])
        marrow.append(by_layer["vertebrae_L1", "marrow"])
    assert abs(np.corrcoef(cortex, marrow)[0, 1]) < 0.3


def test_soft_tissue_stays_in_its_range(volume: LabelVolume):
    for seed in range(200):
        rng = np.random.default_rng(seed)
        means = draw_part_hu(volume.compartments, draw_uptake(rng), rng).means
        for part, mean in zip(volume.compartments, means, strict=True):
            if part.layer or part.kind == "unlabelled":
                continue
            low, high, _ = NATIVE_HU[part.kind]
            most = max(uptake.get(part.kind, (0.0, 0.0))[1] for uptake in UPTAKE_HU.values())
            assert low - 1e-3 <= mean <= high + 1.2 * most + 1e-3, part


def test_the_picture_shows_what_the_fractions_say(volume: LabelVolume):
    for seed in range(4):
        hu, fractions = synthesise(volume, SLAB, np.random.default_rng(seed))
        assert np.abs(fractions.sum(axis=0) - 1).max() < 0.02
        assert hu[fractions[OUTSIDE_INDEX] > 0.999].max() == pytest.approx(-1000, abs=2)
        # A consolidated lung is dense in part.
        assert np.quantile(hu[fractions[CLASS_INDEX["lung"]] > 0.99], 0.1) < -500
        assert np.median(hu[fractions[CLASS_INDEX["bone"]] > 0.99]) > 0
        assert hu[fractions[CLASS_INDEX["liver"]] > 0.99].min() > -100


def test_the_skin_moves_from_sample_to_sample_and_no_label_is_left_outside(volume: LabelVolume):
    volumes = []
    for seed in range(5):
        _, fractions = synthesise(volume, SLAB, np.random.default_rng(seed))
        volumes.append((1 - fractions[OUTSIDE_INDEX]).sum())
        for name in ("bone", "lung", "liver"):
            stored = volume.fractions[(CLASS_INDEX[name], *SLAB)] / 255
            assert np.abs(fractions[CLASS_INDEX[name]] - stored).max() < 1e-3
    assert max(volumes) > 1.3 * min(volumes)


def test_the_same_seed_gives_the_same_scan(volume: LabelVolume):
    def drawn(seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng(seed)
        return scan(*synthesise(volume, SLAB, rng), volume.spacing_mm, rng)

    for seed in range(5):
        (hu, fractions), (again, fractions_again) = drawn(seed), drawn(seed)
        assert np.array_equal(hu, again)
        assert np.array_equal(fractions, fractions_again)
        assert hu.min() >= -1024
        assert hu.max() <= 3071
        assert np.abs(fractions.sum(axis=0) - 1).max() < 0.02


def test_far_from_the_labels_nothing_is_known_where_the_map_is_not_complete(tmp_path: Path):
    volume, _ = made_volume(tmp_path, trusted_mm=10.0)
    assert volume.known is not None
    assert volume.known[volume.parts[0] > 0].all()
    assert not volume.known[:, 0].any()
    assert 0.05 < volume.known.mean() < 0.6


def test_unlabelled_air_is_not_stretched_over_the_map(volume: LabelVolume):
    labels = made_map().labels.voxels
    liver_ml = volume.fractions[CLASS_INDEX["liver"]].sum() / 255 * volume.spacing_mm**3 / 1000
    assert liver_ml == pytest.approx((labels == 9).sum() * SPACING_MM**3 / 1000, rel=0.01)
