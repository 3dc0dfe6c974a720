"""From the tracker to Unity: without errors the overlay is where the point is; with errors, where it was said to be."""

import numpy as np

from tests.end_to_end.chain import LINKS, Errors, run_chain

EXACT = Errors(distortion_mm=0.0, jitter_mm=0.0, hand_mm=0.0, patient_mm=0.0)


def test_without_errors_a_point_of_the_patient_is_seen_in_unity_where_it_is():
    for seed in range(3):
        assert run_chain(np.random.default_rng(seed), EXACT).error_mm < 1e-3  # single precision on the wire, in m


def test_with_errors_it_is_within_what_is_expected_and_each_link_is_told():
    runs = [run_chain(np.random.default_rng(seed)) for seed in range(12)]
    assert sum(run.error_mm <= run.expected_p95_mm for run in runs) >= 9  # of 95 % of 12, three deviations fewer
    assert np.median([run.error_mm / run.expected_p95_mm for run in runs]) > 0.25  # not by promising little
    for name in LINKS:
        told = np.sqrt(np.mean([run.expected_links_mm[name] ** 2 for run in runs]))
        made = np.sqrt(np.mean([run.links_mm[name] ** 2 for run in runs]))
        assert 0.4 < made / told < 2.5, name
