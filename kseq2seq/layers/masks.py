"""Masks of tokens and frames, and layers that add or remove one."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kseq2seq.vocabulary import PAD

NEVER = -1e9
"""The logarithm of a probability of 0."""
_register = keras.saving.register_keras_serializable(package="kseq2seq")


@_register
class PaddingMask(keras.layers.Layer):
    """Ids to a boolean mask of the same shape: True where a token stands."""

    def call(self, ids: Any) -> Any:
        return ops.not_equal(ids, PAD)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(ids.shape, dtype="bool")


@_register
class EveryFrame(keras.layers.Layer):
    """The mask of real-valued sequences, ``(batch, len)``: True for every frame."""

    def call(self, values: Any) -> Any:
        return ops.ones_like(values[..., 0], dtype="bool")

    def compute_output_spec(self, values: Any) -> keras.KerasTensor:
        return keras.KerasTensor(values.shape[:-1], dtype="bool")


@_register
class RepeatAlong(keras.layers.Layer):
    """Repeat a vector ``(batch, width)`` along the steps of a sequence.

    Called with the vector and any sequence ``(batch, len, ...)``; gives
    ``(batch, len, width)``.
    """

    def call(self, vector: Any, sequence: Any) -> Any:
        while len(sequence.shape) > 2:
            sequence = sequence[..., 0]
        steps = ops.ones_like(sequence, dtype=vector.dtype)  # (batch, len)
        return ops.expand_dims(vector, 1) * ops.expand_dims(steps, -1)

    def compute_output_spec(self, vector: Any, sequence: Any) -> keras.KerasTensor:
        batch, width = vector.shape
        shape = (batch, sequence.shape[1], width)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@_register
class Unmasked(keras.layers.Layer):
    """Hand values on without the mask that Keras attached to them.

    An encoder returns its mask as a tensor of its own; a second, hidden one would
    travel beside it into layers that know none.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, values: Any) -> Any:
        return ops.copy(values)

    def compute_mask(self, inputs: Any, previous_mask: Any) -> None:
        return None

    def compute_output_spec(self, values: Any) -> keras.KerasTensor:
        return keras.KerasTensor(values.shape, dtype=self.compute_dtype)
