"""Decoding options: each a pure function of log-probabilities ``(rows, vocabulary)``.

What cannot be chosen gets -inf. Nothing is renormalized: what is left keeps the
log-probability that the model gave it, except after a temperature.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from kseq2seq.vocabulary import END, PAD, START

NEVER = float("-inf")
_COLDEST = 1e-30  # what is colder might round to 0


def forbid(log_probs: Any, forbidden_ids: Sequence[int]) -> Any:
    """Take out ids."""
    if not len(forbidden_ids):
        return log_probs
    forbidden = np.isin(np.arange(log_probs.shape[-1]), forbidden_ids)
    return ops.where(ops.convert_to_tensor(forbidden), NEVER, log_probs)


def end_not_before(log_probs: Any, step: Any, min_length: int) -> Any:
    """Take out END until `min_length` ids stand."""
    if not min_length:
        return log_probs
    is_end = ops.equal(ops.arange(log_probs.shape[-1], dtype="int32"), END)
    return ops.where(is_end & ops.less(step, min_length), NEVER, log_probs)


def force_prefix(log_probs: Any, step: Any, prefix: Sequence[int]) -> Any:
    """Leave ``prefix[step]`` alone, as long as the prefix lasts."""
    if not len(prefix):
        return log_probs
    prefix_ids = ops.convert_to_tensor(prefix, "int32")
    forced = ops.take(prefix_ids, ops.minimum(step, len(prefix) - 1))
    others = ops.not_equal(ops.arange(log_probs.shape[-1], dtype="int32"), forced)
    return ops.where(others & ops.less(step, len(prefix)), NEVER, log_probs)


def force_own_prefix(log_probs: Any, step: Any, prefix_ids: Any) -> Any:
    """Leave in each row the id that its own prefix has at this step, if any.

    The prefixes are ``(rows, prefix_len)`` int32, PAD on the right.
    """
    last = ops.shape(prefix_ids)[1] - 1
    here = ops.reshape(ops.minimum(step, last), (1,))
    forced = ops.take(prefix_ids, here, axis=1)  # (rows, 1)
    others = ops.not_equal(ops.arange(log_probs.shape[-1], dtype="int32"), forced)
    is_forced = ops.not_equal(forced, PAD) & ops.less_equal(step, last)
    return ops.where(others & is_forced, NEVER, log_probs)


def no_ngram_twice(log_probs: Any, ids: Any, step: Any, size: int) -> Any:
    """Take out the ids that would repeat an n-gram of their row.

    Parameters
    ----------
    log_probs : tensor
        ``(rows, vocabulary)``.
    ids : tensor
        ``(rows, max_length)`` int32, what was chosen so far; from `step` on they count
        for nothing. An n-gram with PAD or START in it counts for nothing either.
    step : int or tensor
    size : int
        The n of the n-grams; 0 takes out nothing.

    Returns
    -------
    tensor
        ``(rows, vocabulary)``. A row in which nothing would be left stays as it was;
        END never repeats, as nothing follows it.
    """
    num_windows = ids.shape[1] - size + 1
    if not size or num_windows < 1:
        return log_probs
    size_of_vocabulary = log_probs.shape[-1]
    last = ids[:, size - 1 :]  # (rows, num_windows), the last id of each n-gram
    counts = ops.less(
        ops.arange(size - 1, ids.shape[1], dtype="int32"), step
    ) & _is_token(last)
    for i in range(size - 1):
        # The i-th id of each n-gram against the i-th of those that now stand last.
        position = ops.maximum(step - (size - 1) + i, 0)
        current = ops.take(ids, ops.reshape(position, (1,)), axis=1)  # (rows, 1)
        window = ids[:, i : i + num_windows]
        counts = counts & ops.equal(window, current) & _is_token(window)
    # Where no n-gram repeats, a column beyond the vocabulary is written.
    column = ops.where(counts, last, size_of_vocabulary)
    row = ops.arange(ops.shape(ids)[0], dtype="int32")
    row = ops.zeros_like(column) + ops.expand_dims(row, 1)
    where = ops.reshape(ops.stack([row, column], axis=-1), (-1, 2))
    repeats = ops.zeros_like(log_probs[:, :1], dtype="int32")
    repeats = ops.repeat(repeats, size_of_vocabulary + 1, axis=1)
    repeats = ops.scatter_update(repeats, where, ops.ones_like(where[:, 0]))
    repeats = ops.greater(repeats[:, :size_of_vocabulary], 0)
    left = ops.greater(log_probs, NEVER) & ~repeats
    is_choice = ops.any(left, axis=-1, keepdims=True)
    return ops.where(repeats & is_choice, NEVER, log_probs)


def _is_token(ids: Any) -> Any:
    return ops.not_equal(ids, PAD) & ops.not_equal(ids, START)


def with_temperature(log_probs: Any, temperature: float) -> Any:
    """Return ``log_probs / temperature`` plus a constant, so that the best is 0.

    Their softmax is the distribution at this temperature.
    """
    best = ops.max(log_probs, axis=-1, keepdims=True)
    return (log_probs - best) / max(temperature, _COLDEST)


def keep_top_k(log_probs: Any, k: int) -> Any:
    """Keep the k most probable ids; of equal ones, those of the lower index."""
    if k >= log_probs.shape[-1]:
        return log_probs
    return _keep(log_probs, *ops.top_k(log_probs, k))


def keep_top_p(log_probs: Any, p: float) -> Any:
    """Keep the fewest ids whose probabilities add up to p, and one at least.

    The nucleus of Holtzman et al., 2020, arXiv:1904.09751, section 3.1. The
    probabilities are those of the ids that can still be chosen.
    """
    if p >= 1:
        return log_probs
    best, ids = ops.top_k(log_probs, log_probs.shape[-1])  # all, sorted
    probs = ops.exp(ops.log_softmax(best))
    before = ops.cumsum(probs, axis=-1) - probs
    is_first = ops.equal(ops.arange(log_probs.shape[-1], dtype="int32"), 0)
    kept = ops.less(before, p) | is_first
    return _keep(log_probs, ops.where(kept, best, NEVER), ids)


def _keep(log_probs: Any, best: Any, ids: Any) -> Any:
    """Return -inf but for the given ids, ``(rows, k)``, and their values."""
    ids = ops.cast(ids, "int32")
    rows = ops.expand_dims(ops.arange(ops.shape(log_probs)[0], dtype="int32"), 1)
    where = ops.stack([ops.zeros_like(ids) + rows, ids], axis=-1)  # (rows, k, 2)
    return ops.scatter_update(
        ops.full_like(log_probs, NEVER),
        ops.reshape(where, (-1, 2)),
        ops.reshape(best, (-1,)),
    )
