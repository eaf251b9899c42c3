"""The average of the probabilities of several models."""

from __future__ import annotations

import math
from typing import Any

import keras
from keras import ops

_register = keras.saving.register_keras_serializable(package="kseq2seq")


@_register
class AverageProbabilities(keras.layers.Layer):
    """Average the probabilities of several models, given and returned as logarithms.

    Called with a list of n logits ``(..., vocabulary)``; gives, of the same shape and
    in float32, ``log((p_1 + ... + p_n) / n)`` with ``p_i = softmax(logits_i)``. It
    stands where logits do: they are its own log-softmax.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(self, logits: list[Any]) -> Any:
        log_probs = ops.stack([ops.log_softmax(given) for given in logits])
        return ops.logsumexp(log_probs, axis=0) - math.log(len(logits))

    def compute_output_spec(self, logits: list[Any]) -> keras.KerasTensor:
        return keras.KerasTensor(logits[0].shape, dtype=self.compute_dtype)
