"""Dense layers and dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from kseq2seq import _tensorflow

_register = keras.saving.register_keras_serializable(package="kseq2seq")


def by_rows(function: Callable[[Any], Any], inputs: Any) -> Any:
    """Apply a function of matrices to sequences, every step as a row of one matrix.

    Parameters
    ----------
    function : callable
        From ``(rows, width)`` to ``(rows, new width)``.
    inputs : tensor ``(batch, len, width)``

    Returns
    -------
    tensor ``(batch, len, new width)``
    """
    steps = inputs.shape[1] or ops.shape(inputs)[1]
    outputs = function(ops.reshape(inputs, (-1, inputs.shape[2])))
    return ops.reshape(outputs, (-1, steps, outputs.shape[1]))


@_register
class Dense(keras.layers.Dense):
    """Keras's dense layer, with all steps of a sequence as rows of one matrix.

    Keras's own takes some twenty operations to find the shape of a sequence.
    """

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if len(inputs.shape) != 3:
            return super().call(inputs, training=training)
        call = super().call
        return by_rows(lambda rows: call(rows, training=training), inputs)

    def compute_output_spec(self, inputs: Any, training: Any = None) -> Any:
        shape = (*inputs.shape[:-1], self.units)
        return keras.KerasTensor(shape, dtype=self.compute_dtype)


@_register
class Dropout(keras.layers.Dropout):
    """Keras's dropout, with a generator that is fast in a compiled step on a CPU."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not (training and self.rate):
            return inputs
        kept = random_uniform(ops.shape(inputs), self.seed_generator) >= self.rate
        return ops.where(kept, inputs / (1 - self.rate), 0.0)


def random_uniform(shape: Any, seed_generator: keras.random.SeedGenerator) -> Any:
    """Return float32 values in [0, 1) by the backend's fastest generator."""
    if keras.backend.backend() != "tensorflow":
        return keras.random.uniform(shape, dtype="float32", seed=seed_generator)
    return _tensorflow.uniform(shape, seed_generator.next())
