"""Each decoding option against plain NumPy."""

import keras
import numpy as np
import pytest

from kseq2seq.search.constraints import (
    end_not_before,
    forbid,
    force_prefix,
    keep_top_k,
    keep_top_p,
    no_ngram_twice,
    with_temperature,
)
from kseq2seq.vocabulary import END, PAD, START

ROWS, SIZE = 12, 7
rng = np.random.default_rng(0)
LOG_PROBS = np.log(rng.dirichlet(np.full(SIZE, 0.4), ROWS)).astype("float32")
LOG_PROBS[:, PAD] = -np.inf  # as an option before has left it
EQUAL = np.full((2, SIZE), np.log(1 / SIZE), "float32")


def array(value):
    return keras.ops.convert_to_numpy(value)


def only(log_probs, allowed):
    """Return -inf where a mask is False."""
    return np.where(allowed, log_probs, -np.inf)


@pytest.mark.parametrize("ids", [(), (PAD,), (PAD, START, 5, 5)], ids=str)
def test_forbidden_ids_are_taken_out(ids):
    expected = only(LOG_PROBS, ~np.isin(np.arange(SIZE), ids))
    np.testing.assert_array_equal(array(forbid(LOG_PROBS, ids)), expected)


@pytest.mark.parametrize("step", [0, 2, 3, 4])
def test_end_comes_once_as_many_ids_stand_as_asked(step):
    given = array(end_not_before(LOG_PROBS, step, 3))
    expected = only(LOG_PROBS, (np.arange(SIZE) != END) | (step >= 3))
    np.testing.assert_array_equal(given, expected)


@pytest.mark.parametrize("step", [0, 1, 2, 5])
def test_a_prefix_leaves_its_own_id_alone_and_then_everything(step):
    prefix = [5, 4]
    given = array(force_prefix(LOG_PROBS, step, prefix))
    forced = np.arange(SIZE) == (prefix + [0] * 9)[step]
    np.testing.assert_array_equal(given, only(LOG_PROBS, forced | (step >= 2)))


def without_repeats(log_probs, ids, step, size):
    """Take out, row by row, each id that would end an n-gram that stands already."""
    log_probs = log_probs.copy()
    for row, chosen in zip(log_probs, ids[:, :step].tolist(), strict=True):
        repeats = set()
        for first in range(step - size + 1):
            ngram = chosen[first : first + size]
            current = chosen[step - size + 1 :]
            if ngram[:-1] == current and not {PAD, START} & set(ngram):
                repeats.add(ngram[-1])
        left = row.copy()
        left[list(repeats)] = -np.inf
        if np.isfinite(left).any():
            row[:] = left
    return log_probs


@pytest.mark.parametrize("step", [0, 1, 2, 4, 9])
@pytest.mark.parametrize("size", [0, 1, 2, 3])
def test_an_ngram_comes_once(size, step):
    ids = np.random.default_rng(size).integers(0, SIZE, (ROWS, 9)).astype("int32")
    ids[::2] = ids[::2] % 2 + 4  # rows of two ids repeat much
    expected = LOG_PROBS if not size else without_repeats(LOG_PROBS, ids, step, size)
    given = array(no_ngram_twice(LOG_PROBS, ids, step, size))
    np.testing.assert_array_equal(given, expected)
    if step == 9 and size in (1, 2):
        assert np.isneginf(given[:, PAD + 1 :]).any()


def test_the_rule_gives_way_where_it_would_leave_nothing():
    ids = np.array([[4, 5, 0], [4, 4, 0]], "int32")
    log_probs = only(LOG_PROBS[:2], np.isin(np.arange(SIZE), [4, 5])).astype("float32")
    given = array(no_ngram_twice(log_probs, ids, 2, 1))
    np.testing.assert_array_equal(given[0], log_probs[0])
    assert np.isneginf(given[1, 4]) and given[1, 5] == log_probs[1, 5]


@pytest.mark.parametrize("temperature", [1e-45, 0.2, 1.0, 3.0])
def test_temperature_sharpens_or_flattens_the_distribution(temperature):
    given = array(keras.ops.softmax(with_temperature(LOG_PROBS, temperature)))
    if temperature < 1e-9:
        expected = LOG_PROBS.max(axis=1, keepdims=True) == LOG_PROBS
    else:
        expected = np.exp(LOG_PROBS.astype("float64")) ** (1 / temperature)
        expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(given, expected, atol=1e-5)


@pytest.mark.parametrize("k", [1, 3, SIZE, 50])
@pytest.mark.parametrize("log_probs", [LOG_PROBS, EQUAL], ids=["random", "equal"])
def test_top_k_keeps_the_k_most_probable_and_the_first_of_equals(k, log_probs):
    order = np.argsort(-log_probs, axis=1, kind="stable")[:, :k]
    kept = np.zeros(log_probs.shape, bool)
    np.put_along_axis(kept, order, True, axis=1)
    given = array(keep_top_k(log_probs, k))
    np.testing.assert_array_equal(given, only(log_probs, kept))


@pytest.mark.parametrize("p", [1e-9, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("log_probs", [LOG_PROBS, EQUAL], ids=["random", "equal"])
def test_top_p_keeps_the_fewest_ids_that_reach_p(p, log_probs):
    kept = np.zeros(log_probs.shape, bool)
    for row, allowed in zip(log_probs.astype("float64"), kept, strict=True):
        probs = np.exp(row) / np.exp(row).sum()
        order = np.argsort(-probs, kind="stable")
        count = 1 + np.searchsorted(np.cumsum(probs[order]), p - 1e-6)
        allowed[order[: count if p < 1 else SIZE]] = True
    given = array(keep_top_p(log_probs, p))
    np.testing.assert_array_equal(given, only(log_probs, kept))
    assert np.isfinite(given).any(axis=1).all()
