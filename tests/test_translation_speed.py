"""What the translation benchmark lets each contender train on."""

import numpy as np
import pytest
from checkout import load_benchmarks

load_benchmarks()

from benchmarks import translation_speed as speed  # noqa: E402
from benchmarks.measuring import Measured  # noqa: E402
from kseq2seq.batching import Batches  # noqa: E402
from kseq2seq.ragged import RaggedIds  # noqa: E402


@pytest.fixture(scope="module")
def captions():
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 30, size=(2, 5000))
    sides = (RaggedIds(np.full(side.sum(), 4, np.int32), side) for side in lengths)
    sources, targets = sides
    return speed.Captions(sources=sources, targets=targets, vocabulary_sizes=(5, 5))


def measured(**parameters):
    return {
        name: Measured(
            items=1000,
            seconds=[seconds],
            first_seconds=None,
            peak_mebibytes=0.0,
            growth_mebibytes=0.0,
            versions={},
            facts={"parameters": parameters.get(name.split()[0], 7)},
        )
        for name, seconds in (
            ("kseq2seq", 2.0),
            ("torch eager", 3.0),
            ("torch tutorial", 5.0),
        )
    }


def test_rows_are_taken_at_even_distances():
    assert speed.spread(np.arange(10, 20), 4).tolist() == [10, 12, 15, 17]
    assert speed.spread(np.arange(3), 4).tolist() == [0, 1, 2]


def test_a_round_has_whole_batches_of_buckets_in_their_widths(captions):
    sides = captions.sources, captions.targets
    batches = Batches(*sides, batch_size=128, num_buckets=speed.NUM_BUCKETS)
    portions = speed.bucket_portions(captions, 2560)
    buckets = {bucket.widths: bucket for bucket in batches._buckets}
    assert sum(len(portion.rows) for portion in portions) == 2560
    for portion in portions:
        bucket = buckets[portion.widths]
        share = len(bucket) // 128 * 20 / (5000 // 128)
        assert len(portion.rows) % 128 == 0
        assert abs(len(portion.rows) / 128 - share) < 1.5
        assert set(portion.rows) <= set(bucket._rows)
        assert len(set(portion.rows)) == len(portion.rows)


def test_the_peers_batches_are_of_targets_of_nearly_one_length(captions):
    batches = speed.sorted_batches(captions, 2560)
    assert [len(rows) for rows in batches] == [128] * 20
    lengths = [captions.targets.lengths[rows] for rows in batches]
    assert all(np.ptp(one) <= 1 for one in lengths)
    assert lengths[0].min() == 1
    assert lengths[-1].max() >= 28  # the batches reach over all lengths


def test_the_tokens_of_a_round_are_counted_with_their_ends(captions):
    rows = [np.array([0, 1]), np.array([2])]
    expected = sum(len(captions.targets[i]) + 1 for i in range(3))
    assert captions.num_target_tokens(rows) == expected


def test_ratios_are_of_seconds_a_target_token():
    figures = speed.figures(measured())
    assert figures["translation_training_vs_torch_eager"] == 1.5
    assert figures["translation_training_vs_torch_tutorial"] == 2.5
    assert figures["target_tokens_per_second"]["kseq2seq"] == 500


def test_models_of_different_sizes_are_not_compared():
    with pytest.raises(RuntimeError, match="as many parameters; got .*: 9"):
        speed.figures(measured(kseq2seq=9))
