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
    step_of,
    weights_in,
    write,
)


@register
class Rollout(Stepper):
    """Feed a decoder of real values its own values for a fixed number of steps.

    Called with the memory and, where a decoder reads them, ``decoder_features (batch,
    max_length, features)``; with ``first (batch, features)``, what the first step is
    fed, or zeros.

    Parameters
    ----------
    decoder : keras.Model
        One step: ``[decoder_input_values, *memory]`` to ``[values, *states]`` and, with
        attention, the weights. With ``decoder_features`` these come before the memory.
        The values may have quantiles beside them, on a further axis.
    num_states : int
    max_length : int
        How many steps to take.
    return_attention : bool, default True
        Whether to give the attention weights, where there are any.

    Returns
    -------
    dict
        ``values`` ``(batch, max_length, features)``; with quantiles these, rising, as
        ``quantiles`` ``(batch, max_length, features, number of quantiles)``; with
        attention ``attention_weights`` ``(batch, max_length, source_len)``.
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

    @property
    def _shape(self) -> tuple[int, ...]:
        """The shape of a step's values, with quantiles if there are any."""
        return tuple(self.decoder.outputs[0].shape[2:])

    def call(
        self, memory: list[Any], first: Any = None, decoder_features: Any = None
    ) -> dict[str, Any]:
        states, constants = self._split(memory)
        dtype = self.decoder.outputs[0].dtype
        one = ops.zeros_like(states[0][:, :1], dtype=dtype)  # (batch, 1)
        zeros = ops.reshape(one, (-1, *[1] * len(self._shape)))
        zeros = ops.tile(zeros, (1, *self._shape))
        buffers = [ops.repeat(ops.expand_dims(zeros, 0), self.max_length, axis=0)]
        first = self._point(zeros) if first is None else ops.cast(first, dtype)
        if self.gives_weights:
            buffers.append(empty_weights(constants[-1], self.max_length))
        num_buffers = len(buffers)

        def advance(step: Any, carried: tuple[Any, ...]) -> tuple[Any, ...]:
            last, results = carried[0], carried[1 : 1 + num_buffers]
            states = carried[1 + num_buffers :]
            known = step_of(decoder_features, step)
            values, *outputs = self.decoder([last, *known, *states, *constants])
            new = [write(results[0], step, values[:, 0])]
            if self.gives_weights:
                new.append(write(results[1], step, weights_in(outputs)))
            return (self._point(values), *new, *outputs[: self.num_states])

        first = ops.expand_dims(first, 1)  # (batch, 1, features)
        carried = ops.fori_loop(0, self.max_length, advance, (first, *buffers, *states))
        results = carried[1 : 1 + num_buffers]  # each (max_length, batch, ...)
        return self._named([ops.swapaxes(result, 0, 1) for result in results])

    def _point(self, values: Any) -> Any:
        """Return the values without their quantiles."""
        return values[..., 0] if len(self._shape) > 1 else values

    def _named(self, results: Sequence[Any]) -> dict[str, Any]:
        values, *weights = results
        named = {"values": self._point(values)}
        if len(self._shape) > 1:
            named["quantiles"] = ops.sort(values[..., 1:], axis=-1)
        return {**named, **({"attention_weights": weights[0]} if weights else {})}

    def compute_output_spec(
        self, memory: list[Any], first: Any = None, decoder_features: Any = None
    ) -> dict[str, keras.KerasTensor]:
        batch, dtype = memory[0].shape[0], self.decoder.outputs[0].dtype
        shape: tuple[Any, ...] = (batch, self.max_length, self._shape[0])
        named = {"values": keras.KerasTensor(shape, dtype=dtype)}
        if len(self._shape) > 1:
            shape = (*shape, self._shape[1] - 1)
            named["quantiles"] = keras.KerasTensor(shape, dtype=dtype)
        if self.gives_weights:
            shape = (batch, self.max_length, memory[-1].shape[1])
            named["attention_weights"] = keras.KerasTensor(shape, dtype="float32")
        return named

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "return_attention": self.return_attention,
        }
