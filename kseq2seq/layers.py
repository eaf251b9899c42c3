"""Registered Keras layers: recurrent layers, embeddings, masks and the search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kseq2seq.vocabulary import END, PAD, START

_register = keras.saving.register_keras_serializable(package="kseq2seq")


class _SingleStep:
    """Call the cell itself, with no loop around it, when time has one step.

    A decoder step is such a call; a loop of one round costs more than its cell.
    """

    def inner_loop(
        self, sequences: Any, initial_state: Any, mask: Any, training: bool = False
    ) -> tuple[Any, Any, list[Any]]:
        if mask is not None or sequences.shape[1] != 1:
            return super().inner_loop(  # type: ignore[misc]
                sequences, initial_state, mask, training=training
            )
        output, states = self.cell(  # type: ignore[attr-defined]
            sequences[:, 0], list(initial_state), training=training
        )
        return output, ops.expand_dims(output, 1), list(states)


@_register
class SimpleRNN(_SingleStep, keras.layers.SimpleRNN):
    """Keras's simple recurrent layer, fast at a single step."""


@_register
class GRU(_SingleStep, keras.layers.GRU):
    """Keras's GRU, fast at a single step (Cho et al., 2014, arXiv:1406.1078)."""


@_register
class LSTM(_SingleStep, keras.layers.LSTM):
    """Keras's LSTM, fast at a single step (Hochreiter and Schmidhuber, 1997)."""


RECURRENT_LAYERS = {"rnn": SimpleRNN, "gru": GRU, "lstm": LSTM}
"""The cells by the names that builders know."""


@_register
class Dropout(keras.layers.Dropout):
    """Keras's dropout, with a generator that is fast in a compiled step on a CPU."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not (training and self.rate) or keras.backend.backend() != "tensorflow":
            return super().call(inputs, training=training)
        from kseq2seq._tensorflow import uniform

        kept = uniform(ops.shape(inputs), self.seed_generator.next()) >= self.rate
        return ops.where(kept, inputs / (1 - self.rate), 0.0)


@_register
class OneHot(keras.layers.Layer):
    """Ids to one-hot vectors: ``(batch, len)`` to ``(batch, len, size)``.

    Parameters
    ----------
    size : int
        The vocabulary's size, the special ids included.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size

    def call(self, ids: Any) -> Any:
        return ops.one_hot(ids, self.size, dtype=self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        return (*input_shape, self.size)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@_register
class PaddingMask(keras.layers.Layer):
    """Ids to a boolean mask of the same shape: True where a token stands."""

    def call(self, ids: Any) -> Any:
        return ops.not_equal(ids, PAD)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(ids.shape, dtype="bool")


@_register
class DotAttention(keras.layers.Layer):
    """Look back at the encoder outputs by dot products.

    With q a decoder output and h_s the encoder outputs, the weights are
    ``a_s = softmax_s(q . h_s)`` over the tokens of the source and the context vector is
    ``sum_s a_s h_s`` (Luong et al., 2015, arXiv:1508.04025, equation 7, dot).

    Called with queries ``(batch, target_len, width)``, encoder outputs ``(batch,
    source_len, width)`` and their mask ``(batch, source_len)``; gives context vectors
    ``(batch, target_len, width)`` and weights ``(batch, target_len, source_len)``,
    float32 and 0 where the mask is False.
    """

    def call(
        self, queries: Any, encoder_outputs: Any, source_mask: Any
    ) -> tuple[Any, Any]:
        scores = ops.matmul(queries, ops.transpose(encoder_outputs, (0, 2, 1)))
        scores = ops.cast(scores, "float32")  # (batch, target_len, source_len)
        scores = ops.where(ops.expand_dims(source_mask, 1), scores, -1e9)
        weights = ops.exp(ops.log_softmax(scores))  # Keras's softmax warns at length 1
        context = ops.matmul(ops.cast(weights, self.compute_dtype), encoder_outputs)
        return context, weights

    def compute_output_spec(
        self, queries: Any, encoder_outputs: Any, source_mask: Any
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        batch, target_len, _ = queries.shape
        _, source_len, width = encoder_outputs.shape
        return (
            keras.KerasTensor((batch, target_len, width), dtype=self.compute_dtype),
            keras.KerasTensor((batch, target_len, source_len), dtype="float32"),
        )


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


@_register
class GreedySearch(keras.layers.Layer):
    """Feed the decoder its own best token until every sequence has ended.

    Called with what the encoder returns, a list of decoder states and, with
    attention, the encoder outputs ``(batch, source_len, encoder_units)`` and their
    mask ``(batch, source_len)``.

    Parameters
    ----------
    decoder : keras.Model
        One step: ``[decoder_input_ids, *memory]`` to ``[logits, *states]`` and, with
        attention, the weights.
    num_states : int
        How many of the decoder's inputs and outputs are states.
    max_length : int
        The loop ends after so many tokens at the latest.
    min_length : int, default 0
        END cannot come before so many tokens stand.
    forbidden_ids : sequence of int, default (PAD, START)
        Ids that are never chosen. Scores are not renormalized for them.

    Returns
    -------
    dict
        ``ids`` ``(batch, max_length)`` int32, END and then PAD after the answer;
        ``scores`` ``(batch,)``, the sum of the log-probabilities of the ids up to END;
        with attention ``attention_weights`` ``(batch, max_length, source_len)``, zero
        after the end.
    """

    def __init__(
        self,
        decoder: keras.Model,
        num_states: int,
        max_length: int,
        min_length: int = 0,
        forbidden_ids: Sequence[int] = (PAD, START),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.decoder = decoder
        self.num_states = num_states
        self.max_length = max_length
        self.min_length = min_length
        self.forbidden_ids = list(forbidden_ids)

    def call(self, memory: list[Any]) -> dict[str, Any]:
        first_ids = ops.full_like(memory[0][:, :1], START, dtype="int32")  # (batch, 1)
        states, constants = memory[: self.num_states], memory[self.num_states :]
        variables = (0, first_ids, *self._buffers(first_ids, constants), *states)

        def unfinished(step: Any, last_ids: Any, *_: Any) -> Any:
            return ops.any(ops.not_equal(last_ids, PAD) & ops.not_equal(last_ids, END))

        def advance(step: Any, last_ids: Any, *carried: Any) -> tuple[Any, ...]:
            return self._advance(step, last_ids, carried, constants)

        _, _, *carried = ops.while_loop(
            unfinished, advance, variables, maximum_iterations=self.max_length
        )
        return self._named(carried[: len(carried) - self.num_states])

    def _buffers(self, first_ids: Any, constants: list[Any]) -> tuple[Any, ...]:
        """Return the empty results, which the loop fills from the left."""
        ids = ops.repeat(ops.zeros_like(first_ids), self.max_length, axis=1)
        scores = ops.cast(ops.zeros_like(first_ids[:, 0]), "float32")
        if not constants:
            return ids, scores
        row = ops.cast(ops.zeros_like(constants[1]), "float32")  # (batch, source_len)
        weights = ops.repeat(ops.expand_dims(row, 1), self.max_length, axis=1)
        return ids, scores, weights

    def _advance(
        self, step: Any, last_ids: Any, carried: Sequence[Any], constants: list[Any]
    ) -> tuple[Any, ...]:
        """Take one step for the whole batch; a row that has ended gets PAD and 0."""
        results, states = (
            carried[: len(carried) - self.num_states],
            carried[len(carried) - self.num_states :],
        )
        logits, *outputs = self.decoder([last_ids, *states, *constants])
        log_probs = ops.log_softmax(ops.cast(logits[:, 0], "float32"))
        best, best_ids = ops.top_k(log_probs + self._penalty(step, log_probs), k=1)
        ended = ops.equal(last_ids, END) | ops.equal(last_ids, PAD)  # (batch, 1)
        best_ids = ops.where(ended, PAD, ops.cast(best_ids, "int32"))  # (batch, 1)
        here = ops.equal(ops.arange(self.max_length), step)  # (max_length,)
        ids = ops.where(here, best_ids, results[0])
        scores = results[1] + ops.where(ended, 0.0, best)[:, 0]
        new = [ids, scores]
        if constants:
            weights = ops.where(ended[:, :, None], 0.0, outputs[-1])
            new.append(ops.where(here[:, None], weights, results[2]))
        return (step + 1, best_ids, *new, *outputs[: self.num_states])

    def _penalty(self, step: Any, log_probs: Any) -> Any:
        """Return -inf for the ids that cannot come at this step, 0 for the others."""
        every_id = ops.arange(log_probs.shape[-1])
        forbidden = ops.equal(every_id, -1)
        for i in self.forbidden_ids:
            forbidden = forbidden | ops.equal(every_id, i)
        too_early = ops.equal(every_id, END) & ops.less(step, self.min_length)
        return ops.where(forbidden | too_early, float("-inf"), 0.0)

    @staticmethod
    def _named(results: Sequence[Any]) -> dict[str, Any]:
        names = ("ids", "scores", "attention_weights")
        return dict(zip(names, results, strict=False))

    def compute_output_spec(self, memory: list[Any]) -> dict[str, keras.KerasTensor]:
        batch = memory[0].shape[0]
        results = [
            keras.KerasTensor((batch, self.max_length), dtype="int32"),
            keras.KerasTensor((batch,), dtype="float32"),
        ]
        if len(memory) > self.num_states:
            shape = (batch, self.max_length, memory[-1].shape[1])
            results.append(keras.KerasTensor(shape, dtype="float32"))
        return self._named(results)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "decoder": keras.saving.serialize_keras_object(self.decoder),
            "num_states": self.num_states,
            "max_length": self.max_length,
            "min_length": self.min_length,
            "forbidden_ids": self.forbidden_ids,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> GreedySearch:
        decoder = keras.saving.deserialize_keras_object(config["decoder"])
        return cls(**{**config, "decoder": decoder})
