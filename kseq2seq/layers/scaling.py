"""The scale of real values, found inside a model."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kseq2seq.arguments import FLAT


@keras.saving.register_keras_serializable(package="kseq2seq")
class WindowScale(keras.layers.Layer):
    """The mean and the standard deviation of each sequence, NaN left out.

    Called with real values ``(batch, len, features)``; gives a pair ``(batch, 1,
    width)``, of the first `width` features. A sequence that does not vary has the size
    of its mean in place of its deviation, or, where that is 0, 1.

    Parameters
    ----------
    width : int
    """

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width

    def call(self, values: Any) -> tuple[Any, Any]:
        values = values[..., : self.width]
        missing, zeros = ops.isnan(values), ops.zeros_like(values)
        known = ops.where(missing, zeros, ops.ones_like(values))
        counts = ops.maximum(ops.sum(known, axis=1, keepdims=True), 1)
        filled = ops.where(missing, zeros, values)
        mean = ops.sum(filled, axis=1, keepdims=True) / counts
        squares = known * ops.square(filled - mean)
        deviation = ops.sqrt(ops.sum(squares, axis=1, keepdims=True) / counts)
        size = ops.abs(mean)
        flat = ops.where(size > 0, size, ops.ones_like(size))
        return mean, ops.where(deviation > FLAT * size, deviation, flat)

    def compute_output_spec(self, values: Any) -> tuple[Any, Any]:
        spec = keras.KerasTensor((values.shape[0], 1, self.width), dtype=values.dtype)
        return spec, keras.KerasTensor(spec.shape, dtype=spec.dtype)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}
