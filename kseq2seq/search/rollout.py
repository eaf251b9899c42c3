"""Real values, fed back to the decoder for a fixed number of steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kseq2seq.search.stepping import (
    Stepper,
    empty_weights,
    register,
    weights_in,
    write,
)


@register
class Rollout(Stepper):
    """Feed a decoder of real values its own values for a fixed number of steps.

    Called as :class:`GreedySearch`; the first input is a frame of zeros.

    Parameters
    ----------
    decoder : keras.Model
        One step: ``[decoder_input_values, *memory]`` to ``[values, *states]`` and, with
        attention, the weights.
    num_states : int
    max_length : int
        How many steps to take.
    return_attention : bool, default True
        Whether to give the attention weights, where there are any.

    Returns
    -------
    dict
        ``values`` ``(batch, max_length, features)``; with attention
        ``attention_weights`` ``(batch, max_length, source_len)``.
    """

    def __init__(
        self,
        decoder: keras.Model,
        num_states: int,
        max_length: int,
        return_attention: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(decoder, num_states, **kwargs)
        self.max_length = max_length
        self.return_attention = return_attention

    @property
    def gives_weights(self) -> bool:
        """Whether the answers come with attention weights."""
        return self.attends and self.return_attention

    def call(self, memory: list[Any]) -> dict[str, Any]:
        states, constants = self._split(memory)
        values = self.decoder.outputs[0]
        nothing = ops.zeros_like(states[0][:, :1], dtype=values.dtype)
        first = ops.repeat(nothing, values.shape[-1], axis=1)
        buffers = [ops.repeat(ops.expand_dims(first, 0), self.max_length, axis=0)]
        first = ops.expand_dims(first, 1)  # (batch, 1, features)
        if self.gives_weights:
            buffers.append(empty_weights(constants[-1], self.max_length))
        num_buffers = len(buffers)

        def advance(step: Any, carried: tuple[Any, ...]) -> tuple[Any, ...]:
            last, results = carried[0], carried[1 : 1 + num_buffers]
            states = carried[1 + num_buffers :]
            values, *outputs = self.decoder([last, *states, *constants])
            new = [write(results[0], step, values[:, 0])]
            if self.gives_weights:
                new.append(write(results[1], step, weights_in(outputs)))
            return (values, *new, *outputs[: self.num_states])

        carried = ops.fori_loop(0, self.max_length, advance, (first, *buffers, *states))
        results = carried[1 : 1 + num_buffers]  # each (max_length, batch, ...)
        return self._named([ops.transpose(result, (1, 0, 2)) for result in results])

    @staticmethod
    def _named(results: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(("values", "attention_weights"), results, strict=False))

    def compute_output_spec(self, memory: list[Any]) -> dict[str, keras.KerasTensor]:
        batch = memory[0].shape[0]
        features = self.decoder.outputs[0].shape[-1]
        shape = (batch, self.max_length, features)
        results = [keras.KerasTensor(shape, dtype=self.decoder.outputs[0].dtype)]
        if self.gives_weights:
            shape = (batch, self.max_length, memory[-1].shape[1])
            results.append(keras.KerasTensor(shape, dtype="float32"))
        return self._named(results)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "return_attention": self.return_attention,
        }
