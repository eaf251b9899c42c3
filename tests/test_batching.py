import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import id_lists

from kseq2seq.batching import Batches, close_and_pad, pad, shift

pairs = st.lists(st.tuples(id_lists, id_lists), min_size=1, max_size=30)


def rows_of(batches):
    """Return each real row of an epoch, as lists without padding."""
    rows = []
    for i in range(len(batches)):
        inputs, target_ids, weights = batches[i]
        for source, target, weight in zip(
            inputs["source_ids"], target_ids, weights, strict=True
        ):
            if weight.any():
                rows.append(([*source[source > 3]], [*target[target > 3]]))
    return rows


def test_pad_puts_padding_on_the_right():
    padded = pad([[5], [], [6, 7]], width=3)
    assert padded.tolist() == [[5, 0, 0], [0, 0, 0], [6, 7, 0]]
    assert padded.dtype == np.int32


def test_even_an_empty_sequence_has_an_id():
    assert close_and_pad([[], [4]]).tolist() == [[3, 0], [4, 3]]


def test_the_shift_feeds_the_token_before():
    assert shift(np.array([[7, 8, 3, 0]])).tolist() == [[2, 7, 8, 3]]


@given(pairs, st.integers(1, 4), st.integers(1, 8))
def test_every_pair_comes_once_an_epoch_whatever_the_buckets(
    pairs, num_buckets, batch_size
):
    sources, targets = zip(*pairs, strict=True)
    batches = Batches(
        sources,
        targets,
        num_buckets=num_buckets,
        batch_size=batch_size,
        random_state=0,
    )
    for _ in range(2):
        batches.on_epoch_begin()
        assert sorted(rows_of(batches)) == sorted((list(s), list(t)) for s, t in pairs)


@given(pairs, st.integers(1, 4))
def test_batches_have_one_shape_a_bucket_and_no_fully_padded_source(pairs, num_buckets):
    batches = Batches(
        *zip(*pairs, strict=True), num_buckets=num_buckets, batch_size=4, random_state=0
    )
    batches.on_epoch_begin()
    shapes = set()
    for i in range(len(batches)):
        inputs, target_ids, weights = batches[i]
        assert len(target_ids) == 4
        assert inputs["source_ids"].any(axis=1).all()
        assert weights.dtype == np.float32 and not weights[target_ids == 0].any()
        shapes.add((inputs["source_ids"].shape, target_ids.shape))
    assert len(shapes) <= batches.num_buckets <= num_buckets


@given(pairs, st.integers(1, 4))
def test_the_first_two_batches_show_every_width_that_varies(pairs, num_buckets):
    batches = Batches(
        *zip(*pairs, strict=True), num_buckets=num_buckets, batch_size=2, random_state=0
    )
    shapes = [batches[i][0]["source_ids"].shape[1] for i in range(len(batches))]
    assert len(set(shapes)) == 1 or shapes[0] != shapes[1]


def test_weights_are_the_pairs_own_on_tokens_and_zero_on_padding():
    batches = Batches(
        [[4], [5, 6]],
        [[7], [8, 9]],
        sample_weight=np.array([0.5, 2.0]),
        batch_size=3,
        shuffle=False,
    )
    weights = batches[0][2]
    assert weights.tolist() == [[0.5, 0.5, 0], [2, 2, 2], [0, 0, 0]]


def test_the_order_depends_on_the_seed_alone():
    def epochs(seed):
        batches = Batches(
            [[i] for i in range(4, 40)],
            [[4]] * 36,
            batch_size=5,
            random_state=seed,
        )
        orders = []
        for _ in range(2):
            batches.on_epoch_begin()
            orders.append(rows_of(batches))
        return orders

    random.seed(1)
    first = epochs(3)
    random.seed(2)
    assert epochs(3) == first
    assert first[0] != first[1]
    assert epochs(4) != first


def test_no_pairs_or_unequal_sides_are_refused():
    with pytest.raises(ValueError, match="got 0 sources"):
        Batches([], [])
    with pytest.raises(ValueError, match="got 2 sources and 1 targets"):
        Batches([[4], [5]], [[4]])
