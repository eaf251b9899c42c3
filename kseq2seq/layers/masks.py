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
class WholeFrames(keras.layers.Layer):
    """The mask of sequences with gaps, ``(batch, len)``: False where a frame has NaN.

    Called with real values ``(batch, len, features)``.
    """

    def call(self, values: Any) -> Any:
        return ops.logical_not(ops.any(ops.isnan(values), axis=-1))

    def compute_output_spec(self, values: Any) -> keras.KerasTensor:
        return keras.KerasTensor(values.shape[:-1], dtype="bool")


@_register
class ZerosForNaN(keras.layers.Layer):
    """Real values with zeros in place of NaN."""

    def call(self, values: Any) -> Any:
        return ops.where(ops.isnan(values), ops.zeros_like(values), values)

    def compute_output_spec(self, values: Any) -> keras.KerasTensor:
        return keras.KerasTensor(values.shape, dtype=self.compute_dtype)


@_register
class LastFrame(keras.layers.Layer):
    """The last frame that has no NaN, of real values ``(batch, len, features)``.

    Gives its first `width` features, ``(batch, width)``; zeros where there is none.
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width

    def call(self, values: Any) -> Any:
        whole = ops.logical_not(ops.any(ops.isnan(values), axis=-1))  # (batch, len)
        places = ops.cumsum(ops.cast(whole, "int32"), axis=1)
        is_last = ops.logical_and(whole, ops.equal(places, places[:, -1:]))
        values = values[..., : self.width]
        chosen = ops.where(is_last[..., None], values, ops.zeros_like(values))
        return ops.sum(chosen, axis=1)

    def compute_output_spec(self, values: Any) -> keras.KerasTensor:
        shape = (values.shape[0], self.width)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}


def masks_nan(model: keras.Model) -> bool:
    """Whether a model, or one inside it, leaves out frames that hold NaN."""
    return any(
        isinstance(layer, WholeFrames)
        or (isinstance(layer, keras.Model) and masks_nan(layer))
        for layer in model.layers
    )


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
