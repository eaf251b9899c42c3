"""Copying tokens of the source into answers: a pointer-generator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from kseq2seq.vocabulary import FIRST_TOKEN, PAD

_register = keras.saving.register_keras_serializable(package="kseq2seq")
_NEVER = -1e9
"""The logarithm of a probability of 0."""
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
        one_hot = ops.one_hot(copy_ids, logits.shape[-1], dtype=weights.dtype)
        copied = ops.matmul(weights, one_hot)  # (batch, target_len, vocabulary)
        # What has a gradient of infinity is computed nowhere, not only left out.
        is_copied = ops.greater(copied, _LEAST_COPIED) & copies
        log_copied = ops.log(ops.where(is_copied, copied, 1.0))
        log_copied += ops.log_sigmoid(-switch)
        log_generated = ops.log_softmax(logits)
        log_generated += ops.where(copies, ops.log_sigmoid(switch), 0.0)
        log_copied = ops.where(is_copied, log_copied, _NEVER)
        # ops.logaddexp needs log1p, which ONNX lacks.
        larger = ops.stop_gradient(ops.maximum(log_generated, log_copied))
        both = ops.exp(log_generated - larger) + ops.exp(log_copied - larger)
        return larger + ops.log(both)

    def compute_output_spec(
        self, logits: Any, weights: Any, switch: Any, copy_ids: Any
    ) -> keras.KerasTensor:
        return keras.KerasTensor(logits.shape, dtype=self.compute_dtype)
