"""Copying tokens of the source into answers: a pointer-generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kseq2seq.layers.masks import NEVER
from kseq2seq.vocabulary import FIRST_TOKEN, PAD

_register = keras.saving.register_keras_serializable(package="kseq2seq")
_LEAST_ATTENTION = 1e-9
"""Less attention than this, over all that can be copied, counts as none."""
_LEAST_COPIED = 1e-20
"""A share of what is copied that is smaller counts as none."""


@_register
class CopyIds(keras.layers.Layer):
    """Source ids to the target ids that copying them writes, 0 where none can be.

    Called with ids ``(batch, source_len)``; gives int32 of the same shape.

    Parameters
    ----------
    table : sequence of int, or array, optional
        For each source id a target id, 0 (PAD) where it cannot be copied. When None,
        both sides have the same ids, and all but the special ones can be copied.
    """

    def __init__(
        self, table: Sequence[int] | np.ndarray | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.table = None if table is None else np.array(table, dtype="int32")

    def call(self, ids: Any) -> Any:
        if self.table is None:
            return ops.where(ops.greater_equal(ids, FIRST_TOKEN), ids, PAD)
        return ops.take(self.table, ids, axis=0)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(ids.shape, dtype="int32")

    def get_config(self) -> dict[str, Any]:
        table = None if self.table is None else self.table.tolist()
        return {**super().get_config(), "table": table}


@_register
class PointerGenerator(keras.layers.Layer):
    """Mix what the vocabulary and what the source say of the next token.

    With ``p_gen = sigmoid(switch)``, P_vocab the softmax of the logits, and a_s the
    attention weights of those source tokens that can be copied, made to sum to 1, it is
    ``P(w) = p_gen P_vocab(w) + (1 - p_gen) sum_{s: w_s = w} a_s`` (See et al., 2017,
    arXiv:1704.04368, equations 8 and 9). Where nothing can be copied p_gen is 1.

    Called with logits ``(batch, target_len, vocabulary)``, weights ``(batch,
    target_len, source_len)``, switch ``(batch, target_len, 1)`` and the target ids of
    the source's tokens ``(batch, source_len)``, 0 where one cannot be copied; gives
    ``log P`` ``(batch, target_len, vocabulary)`` in float32. It stands where logits do:
    it is its own log-softmax.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, logits: Any, weights: Any, switch: Any, copy_ids: Any) -> Any:
        can_copy = ops.expand_dims(ops.not_equal(copy_ids, PAD), 1)
        weights = ops.where(can_copy, weights, 0.0)
        total = ops.sum(weights, axis=-1, keepdims=True)
        copies = ops.greater(total, _LEAST_ATTENTION)  # (batch, target_len, 1)
        weights = weights / ops.where(copies, total, 1.0)
        copied = _sums_by_id(weights, copy_ids, logits.shape[-1])
        # What has a gradient of infinity is computed nowhere, not only left out.
        is_copied = ops.greater(copied, _LEAST_COPIED) & copies
        log_copied = ops.log(ops.where(is_copied, copied, 1.0))
        log_copied = log_copied + ops.log_sigmoid(-switch)
        log_copied = ops.where(is_copied, log_copied, NEVER)
        log_generated = ops.log_softmax(logits)
        # No +=, with which PyTorch would overwrite what the gradient needs.
        log_generated = log_generated + ops.where(copies, ops.log_sigmoid(switch), 0.0)
        return log_of_sum(log_generated, log_copied)

    def compute_output_spec(
        self, logits: Any, weights: Any, switch: Any, copy_ids: Any
    ) -> keras.KerasTensor:
        return keras.KerasTensor(logits.shape, dtype=self.compute_dtype)


def log_of_sum(one: Any, other: Any) -> Any:
    """Return the logarithm of the sum of two values that are given by theirs.

    ``ops.logaddexp`` is the same by log1p, which ONNX lacks.
    """
    larger = ops.stop_gradient(ops.maximum(one, other))
    return larger + ops.log(ops.exp(one - larger) + ops.exp(other - larger))


def _sums_by_id(weights: Any, ids: Any, size: int) -> Any:
    """Return for each id up to a size the sum of the weights of its places.

    A scatter, as a product with one-hot ids takes more time than all logits where the
    vocabulary is large. Each id's sum stands at its first place, with 0 for PAD at the
    others, so that it is the same whether a scatter adds, as here, or overwrites, as
    the one of ONNX.

    Parameters
    ----------
    weights : tensor ``(batch, target_len, source_len)``
        0 where the id is PAD.
    ids : tensor ``(batch, source_len)``
    size : int

    Returns
    -------
    tensor ``(batch, target_len, size)``
    """
    batch, steps, places = (ops.shape(weights)[axis] for axis in range(3))
    place = ops.arange(places, dtype="int32")
    same = ops.equal(ops.expand_dims(ids, 1), ops.expand_dims(ids, 2))
    is_before = ops.expand_dims(place, 0) < ops.expand_dims(place, 1)
    is_first = ~ops.any(same & is_before, axis=-1)  # (batch, source_len)
    sums = ops.matmul(weights, ops.cast(same, weights.dtype))
    sums = ops.where(ops.expand_dims(is_first, 1), sums, 0.0)
    first_ids = ops.expand_dims(ops.where(is_first, ids, PAD), 1)
    nothing = ops.zeros_like(weights, dtype="int32")
    row = ops.reshape(ops.arange(batch, dtype="int32"), (-1, 1, 1))
    step = ops.reshape(ops.arange(steps, dtype="int32"), (1, -1, 1))
    indices = [nothing + axis for axis in (row, step, first_ids)]
    return ops.scatter(ops.stack(indices, axis=-1), sums, (batch, steps, size))
