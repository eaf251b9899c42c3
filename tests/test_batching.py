import random
from itertools import count, islice, repeat

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import id_lists

from kseq2seq.batching import (
    Batches,
    LabelBatches,
    StreamBatches,
    buckets,
    close_and_pad,
    pad,
    run_length,
    shift,
    shift_values,
)
from kseq2seq.batching.lengths import group_by_length

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


def test_the_shift_of_values_feeds_the_frame_before():
    values = np.arange(1.0, 13.0).reshape(2, 3, 2)
    assert shift_values(values).tolist() == [
        [[0, 0], [1, 2], [3, 4]],
        [[0, 0], [7, 8], [9, 10]],
    ]
    assert values[0, 0, 0] == 1  # what was given stays


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


@given(
    st.lists(st.tuples(id_lists, id_lists), min_size=1),
    st.integers(1, 3),
    st.integers(1, 3),
)
@settings(max_examples=20)
def test_runs_are_the_same_batches_stacked(pairs, num_buckets, length):
    batches = Batches(
        *zip(*pairs, strict=True), batch_size=3, num_buckets=num_buckets, random_state=1
    )
    runs = batches.runs(length)
    runs.on_epoch_begin()
    stacked = [batch for i in range(len(runs)) for batch in held(runs[i], length)]
    assert len(stacked) == len(batches)
    for k, arrays in enumerate(stacked):
        for one, other in zip(arrays, keras.tree.flatten(batches[k]), strict=True):
            np.testing.assert_array_equal(one, other)


def held(run, length):
    """Return the arrays of each batch of a run, cut to its own shape."""
    inputs, targets, weights = run
    (count,), kinds, lengths = (
        inputs.pop(name) for name in ("num_batches", "kinds", "lengths")
    )
    assert 1 <= count <= length == len(kinds) == len(lengths) == len(targets)
    arrays = keras.tree.flatten((inputs, targets, weights))
    assert not weights[count:].any()
    return [
        [array[k, :, :width] for array, width in zip(arrays, lengths[k], strict=True)]
        for k in range(count)
    ]


def test_kinds_of_batches_are_their_shapes_or_how_many_rows_they_have():
    X, y = [[4]] * 4 + [[4] * 5] * 4, [[4]] * 8
    batches = Batches(X, y, batch_size=2, num_buckets=2, shuffle=False)
    assert batches.runs(3).shapes == [(2, None)]
    runs = batches.runs(3, by_shape=True)  # decoder inputs, sources, targets, weights
    assert runs.shapes == [(2, (2, 2, 2, 2)), (2, (2, 6, 2, 2))]
    kinds = [run[0]["kinds"][: run[0]["num_batches"][0]].tolist() for run in runs]
    assert kinds == [[0, 1, 0], [1]]
    by_tokens = Batches(X, y, batch_tokens=12, num_buckets=2)
    assert {size for size, _ in by_tokens.runs(3).shapes} == {2, 4}


def test_runs_of_long_rows_are_short():
    batches = Batches([[4] * 99, [4]] * 8, [[5]] * 16, batch_size=1)
    assert batches.runs(16).length == 16
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(buckets, "MOST_VALUES", 500)
        assert batches.runs(16).length == 5
        patch.setattr(buckets, "MOST_VALUES", 50)
        assert batches.runs(16).length == 1


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


def test_what_makes_no_batches_is_refused():
    with pytest.raises(TypeError, match="shuffle must be True or False"):
        Batches([[4]], [[5]], shuffle="a")
    batches = Batches([[4]], [[5]], num_buckets=10**12)
    assert batches.num_buckets == 1
    with pytest.raises(IndexError, match="from 0; got -1"):
        batches[-1]
    with pytest.raises(ValueError, match="length must be a whole number of at least 1"):
        batches.runs(0)
    with pytest.raises(TypeError, match="expected sequences of ids; got None"):
        Batches([[4]], None)
    with pytest.raises(TypeError, match="expected sequences of ids; got None"):
        LabelBatches(None, [1])
    for labels in (None, [["a"], "b"], [1.5], [-1], [2**31]):
        with pytest.raises(ValueError, match="labels must be whole numbers"):
            LabelBatches([[4]], labels)


def test_no_pairs_or_unequal_sides_are_refused():
    with pytest.raises(ValueError, match="got 0 sources"):
        Batches([], [])
    with pytest.raises(ValueError, match="got 2 sources and 1 targets"):
        Batches([[4], [5]], [[4]])


@given(
    st.lists(st.tuples(id_lists, st.integers(0, 3)), min_size=1, max_size=30),
    st.integers(1, 4),
    st.integers(1, 8),
)
def test_every_label_comes_once_an_epoch_with_its_source(
    labelled, num_buckets, batch_size
):
    sources, labels = zip(*labelled, strict=True)
    batches = LabelBatches(
        sources,
        labels,
        num_buckets=num_buckets,
        batch_size=batch_size,
        random_state=0,
    )
    shapes = set()
    for _ in range(2):
        batches.on_epoch_begin()
        rows = []
        for i in range(len(batches)):
            inputs, given, weights = batches[i]
            shapes.add(inputs["source_ids"].shape)
            assert given.shape == weights.shape == (batch_size,)
            assert set(weights) <= {0, 1}
            for ids, number, weight in zip(
                inputs["source_ids"], given, weights, strict=True
            ):
                assert ids.any() and not ids[list(ids).index(3) + 1 :].any()
                if weight:
                    rows.append((ids[ids > 3].tolist(), int(number)))
        assert sorted(rows) == sorted((list(s), n) for s, n in labelled)
    assert len(shapes) <= num_buckets


def test_labels_keep_their_weights():
    batches = LabelBatches(
        [[4], [5, 6]],
        np.array([2, 1]),
        sample_weight=np.array([0.5, 2.0]),
        batch_size=3,
        shuffle=False,
    )
    inputs, labels, weights = batches[0]
    assert inputs["source_ids"].tolist() == [[4, 3, 0], [5, 6, 3], [4, 3, 0]]
    assert labels.tolist() == [2, 1, 2]
    assert weights.tolist() == [0.5, 2.0, 0.0] and weights.dtype == np.float32


def test_no_labels_or_not_as_many_as_sources_are_refused():
    with pytest.raises(ValueError, match="got 0 sources and 0 labels"):
        LabelBatches([], [])
    with pytest.raises(ValueError, match="got 2 sources and 1 labels"):
        LabelBatches([[4], [5]], [1])


def numbered():
    """Yield batches of one pair without end, each with its number for a token."""
    for number in count(4):
        yield [[number]], [[number]]


def number_of(batch):
    return int(batch[0]["source_ids"][0, 0]) - 4


@given(st.integers(2, 90), st.integers(1, 4), st.integers(0, 3), st.booleans())
def test_a_stream_gives_every_batch_once_whatever_is_looked_at_ahead(
    steps, epochs, ahead, begins_twice
):
    """Keras looks at the first two batches, and may begin an epoch anew."""
    drawn = []

    def watched():
        for batch in numbered():
            drawn.append(batch)
            yield batch

    batches = StreamBatches(watched(), batch_size=1, steps=steps)
    served = []
    looked = [number_of(batches[i]) for i in range(min(2, steps))]
    for epoch in range(epochs):
        batches.on_epoch_begin()
        if begins_twice:
            again = [number_of(batches[i]) for i in range(min(ahead, steps - 1))]
            assert again == list(range(epoch * steps, epoch * steps + len(again)))
        served += [number_of(batches[i]) for i in range(len(batches))]
        batches.on_epoch_end()
    assert looked == served[:2]
    assert served == list(range(steps * epochs))
    assert len(drawn) == steps * epochs  # and not one more


def test_the_batches_of_a_stream_are_shifted_padded_and_filled_up():
    batches = StreamBatches(repeat(([[4, 5]], [[6]])), batch_size=2, steps=3)
    inputs, target_ids, weights = batches[0]
    assert inputs["source_ids"].tolist() == [[4, 5, 3, 0, 0, 0, 0, 0]] * 2
    assert inputs["decoder_input_ids"].tolist() == [[2, 6, 3, 0, 0, 0, 0, 0]] * 2
    assert target_ids.tolist() == [[6, 3, 0, 0, 0, 0, 0, 0]] * 2
    assert weights.tolist() == [[1, 1, 0, 0, 0, 0, 0, 0], [0] * 8]


@given(st.lists(st.tuples(id_lists, id_lists), min_size=1, max_size=4))
def test_widths_of_a_stream_are_few(pairs):
    sources, targets = map(list, zip(*pairs, strict=True))
    sources[0] = [*sources[0], *range(4, 12)]
    batches = StreamBatches(repeat((sources, targets)), batch_size=4, steps=4)
    widths = [
        (batches[i][0]["source_ids"].shape[1], batches[i][1].shape[1]) for i in range(4)
    ]
    for width in np.ravel(widths):
        assert width % 8 == 0
    longest = 1 + max(map(len, sources)), 1 + max(map(len, targets))
    for (width, spare), length in zip(
        np.transpose(widths)[:, :2], longest, strict=True
    ):
        assert 0 <= width - length < 8 < spare  # the second shows that widths vary
    assert widths[0] == widths[2] == widths[3] != widths[1]


def test_a_stream_that_ends_too_early_says_after_how_many_batches():
    batches = StreamBatches(islice(numbered(), 3), batch_size=1, steps=2)
    batches.on_epoch_begin()
    assert [number_of(batches[i]) for i in (0, 1)] == [0, 1] and batches.error is None
    assert number_of(batches[0]) == 2
    with pytest.raises(ValueError, match="after 3 batches, before its epoch of 2"):
        batches[1]
    assert "ended after 3 batches" in str(batches.error)


def test_what_made_a_stream_fail_is_kept():
    def failing():
        yield [[4]], [[5]]
        raise OSError("connection lost")

    batches = StreamBatches(failing(), batch_size=1, steps=2)
    batches[0]
    with pytest.raises(OSError, match="connection lost"):
        batches[1]
    assert isinstance(batches.error, OSError)


@pytest.mark.parametrize("batch", [3, ([[4]],), ([[4]], None), ([[4]], [[-1]])])
def test_what_a_stream_gives_must_be_two_sides_of_ids(batch):
    batches = StreamBatches(repeat(batch), batch_size=1, steps=2)
    with pytest.raises((ValueError, TypeError), match="must be|expected sequences"):
        batches[0]


@pytest.mark.parametrize("steps", [0, 1, 2.5])
def test_an_epoch_of_a_stream_has_two_batches_at_least(steps):
    with pytest.raises((ValueError, TypeError), match="must be .* from 2 to"):
        StreamBatches(numbered(), batch_size=1, steps=steps)


def places(groups, lengths):
    """Return how many places padded groups take, END included: the plain way."""
    return sum(
        len(rows) * sum(max(side[rows]) + 1 for side in lengths) for rows in groups
    )


lengths = st.lists(st.tuples(*[st.integers(0, 12)] * 2), min_size=1, max_size=20)


@given(lengths)
def test_each_more_group_saves_places_until_none_can(pairs):
    sides = np.array(pairs).T
    taken = []
    for num_groups in (1, 2, 3, 100):
        groups = group_by_length(sides, num_groups)
        assert len(groups) <= num_groups
        assert sorted(np.concatenate(groups)) == list(range(len(pairs)))
        taken.append(places(groups, sides))
    assert taken == sorted(taken, reverse=True)
    assert taken[-1] == sum(a + b + 2 for a, b in pairs)  # nothing is padded


@given(lengths)
def test_two_groups_take_the_fewest_places(pairs):
    sides = np.array(pairs).T
    cuts = [side <= length for side in sides for length in side]
    every_way = [[np.flatnonzero(c), np.flatnonzero(~c)] for c in cuts]
    best = min(places([g for g in way if len(g)], sides) for way in every_way)
    assert places(group_by_length(sides, 2), sides) == best


@given(lengths, st.integers(1, 6), st.integers(1, 5))
def test_a_group_has_whole_batches_unless_none_is_wide_enough(pairs, groups, size):
    sides = np.array(pairs).T
    groups = group_by_length(sides, groups, batch_size=size)
    assert sorted(np.concatenate(groups)) == list(range(len(pairs)))
    widths = [[max(side[rows]) for side in sides] for rows in groups]
    for g, rows in enumerate(groups):
        others = widths[:g] + widths[g + 1 :]
        if len(rows) % size:
            assert not any(np.all(np.greater(other, widths[g])) for other in others)


def test_the_longest_rows_that_fill_no_batch_go_to_the_next_group():
    sides = [np.array([1, 2, 9, 1, 9, 1])]
    groups = group_by_length(sides, 2, batch_size=3)
    assert [sides[0][rows].tolist() for rows in groups] == [[1, 1, 1], [2, 9, 9]]


@given(lengths.filter(lambda pairs: len(pairs) > 1), st.integers(2, 5))
def test_two_batches_that_come_first_show_what_varies(pairs, num_buckets):
    sources, targets = ([[4] * n for n in side] for side in zip(*pairs, strict=True))
    batches = Batches(sources, targets, batch_size=2, num_buckets=num_buckets)
    shapes = [batches[i][0]["source_ids"].shape for i in range(len(batches))]
    widths = [(w, batches[i][1].shape[1]) for i, (_, w) in enumerate(shapes)]
    for k in (0, 1):
        if len({width[k] for width in widths}) > 1:
            assert widths[0][k] != widths[1][k]


def test_a_budget_of_tokens_makes_smaller_batches_of_longer_pairs():
    sides = [[[4] * n for n in (1, 2, 1, 2, 9, 9, 9)] for _ in range(2)]
    batches = Batches(*sides, batch_tokens=10, num_buckets=2, random_state=0)
    shapes = {batches[i][1].shape for i in range(len(batches))}
    assert shapes == {(3, 3), (1, 10)}  # END included
    assert sum((batches[i][2][:, 0] > 0).sum() for i in range(len(batches))) == 7


def test_a_pair_longer_than_the_budget_is_a_batch_by_itself():
    batches = Batches([[4] * 9, [4] * 9], [[4], [4]], batch_tokens=3)
    assert [batches[i][1].shape for i in range(len(batches))] == [(1, 2)] * 2


def test_a_large_model_gets_its_batches_in_any_order():
    assert run_length(1000) == run_length(1000, num_weights=100_000) == 32
    assert run_length(1000, num_weights=1_600_000) == 4
    assert run_length(1000, num_weights=10**8) == 1
    assert run_length(3) == 1
    assert run_length(113, num_buckets=12) == 2  # or a length would come all at once
    assert run_length(1000, num_buckets=12) == 4


@given(pairs, st.integers(1, 4), st.integers(1, 5))
def test_every_epoch_has_as_many_runs(pairs, num_buckets, length):
    batches = Batches(
        *zip(*pairs, strict=True), batch_size=2, num_buckets=num_buckets, random_state=1
    )
    batches.run_length = length
    runs = batches.runs(length)
    before = len(runs)
    runs.on_epoch_begin()
    assert len(runs) == before
    assert sum(int(runs[i][0]["num_batches"][0]) for i in range(before)) == len(batches)
