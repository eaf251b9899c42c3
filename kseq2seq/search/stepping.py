"""What every layer that steps a decoder has in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

register = keras.saving.register_keras_serializable(package="kseq2seq")


class Stepper(keras.layers.Layer):
    """Runs a decoder over what the encoder gave.

    Its own figures (scores, penalties, draws) are float32; what the encoder gave stays
    of the type that the models compute in, whatever policy of Keras holds when the
    layer is made.

    Parameters
    ----------
    decoder : keras.Model
        One step: ``[decoder inputs, *memory]`` to ``[outputs, *states]`` and, with
        attention, the weights.
    num_states : int
        How many of the decoder's inputs and outputs are states. What follows them in
        the memory stays the same at every step; with attention the encoder outputs
        ``(batch, source_len, encoder_units)`` and their mask ``(batch, source_len)``
        come last.
    """

    def __init__(self, decoder: keras.Model, num_states: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.decoder = decoder
        self.num_states = num_states

    @property
    def attends(self) -> bool:
        """Whether the decoder gives attention weights."""
        return len(self.decoder.outputs) > 1 + self.num_states

    def _split(self, memory: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """Return the states, and what stays the same at every step."""
        return list(memory[: self.num_states]), list(memory[self.num_states :])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "num_states": self.num_states,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Stepper:
        decoder = keras.saving.deserialize_keras_object(config["decoder"])
        return cls(**{**config, "decoder": decoder})


def weights_in(outputs: Sequence[Any]) -> Any:
    """Return the attention weights of a single step: ``(rows, source_len)`` float32."""
    return ops.cast(outputs[-1][:, 0], "float32")


def step_of(sequence: Any, step: Any) -> list[Any]:
    """Return the step of ``(batch, steps, ...)``, ``(batch, 1, ...)``; none of None."""
    if sequence is None:
        return []
    index = ops.reshape(ops.cast(step, "int32"), (1,))
    return [ops.take(sequence, index, axis=1)]


def write(buffer: Any, step: Any, value: Any) -> Any:
    """Return the buffer ``(max_length, ...)`` with the value at the step.

    A scatter is as fast as a slice update, which ONNX lacks, and in a plain graph
    faster than choosing between old and new at every step.
    """
    index = ops.reshape(ops.cast(step, "int32"), (1, 1))
    return ops.scatter_update(buffer, index, ops.expand_dims(value, 0))


def empty_weights(source_mask: Any, max_length: int) -> Any:
    """Return attention weights of 0: ``(max_length, rows, source_len)``."""
    row = ops.cast(ops.zeros_like(source_mask), "float32")
    return ops.repeat(ops.expand_dims(row, 0), max_length, axis=0)
