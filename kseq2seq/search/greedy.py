"""One hypothesis a row, grown by the best id at every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kseq2seq.search.stepping import empty_weights, register, write
from kseq2seq.search.token_search import TokenSearch, has_ended, without_ended
from kseq2seq.vocabulary import PAD, START


class OnePath(TokenSearch):
    """Grows one hypothesis a row until every row has ended.

    How the id is picked at each step is what the searches differ in.
    """

    def _draws(self, last_ids: Any) -> Any:
        """Return what picking takes from outside the loop, made before it."""
        return None

    def _pick(self, step: Any, log_probs: Any, allowed: Any, draws: Any) -> Any:
        """Return the picked ids and their log-probabilities, both ``(rows, 1)``.

        `allowed` are the ``(rows, vocabulary)`` that the options leave of `log_probs`.
        """
        raise NotImplementedError

    def call(self, memory: list[Any]) -> dict[str, Any]:
        memory, prefix_ids = self._without_prefix(memory)
        states, constants = self._split(memory)
        last_ids = ops.full_like(memory[0][:, :1], START, dtype="int32")  # (batch, 1)
        draws = self._draws(last_ids)
        buffers = self._results(last_ids, constants)
        scores = ops.cast(ops.zeros_like(last_ids[:, 0]), "float32")

        def unfinished(step: Any, last_ids: Any, *_: Any) -> Any:
            return ops.any(~has_ended(last_ids))

        def advance(step: Any, last_ids: Any, *carried: Any) -> tuple[Any, ...]:
            fixed = constants, draws, prefix_ids
            return self._advance(step, last_ids, carried, *fixed)

        _, _, scores, *carried = ops.while_loop(
            unfinished,
            advance,
            (0, last_ids, scores, *buffers, *states),
            maximum_iterations=self.max_length,
        )
        ids = ops.transpose(carried[0])  # (batch, max_length)
        if not self.gives_weights:
            return self._named([ids, scores])
        weights = ops.transpose(carried[1], (1, 0, 2))
        return self._named([ids, scores, without_ended(weights, ids)])

    def _results(self, last_ids: Any, constants: list[Any]) -> list[Any]:
        """Return empty ids ``(max_length, batch)`` and weights, to be filled."""
        row = ops.transpose(ops.zeros_like(last_ids))  # (1, batch)
        buffers = [ops.repeat(row, self.max_length, axis=0)]
        if self.gives_weights:
            buffers.append(empty_weights(constants[-1], self.max_length))
        return buffers

    def _advance(
        self,
        step: Any,
        last_ids: Any,
        carried: Sequence[Any],
        constants: list[Any],
        draws: Any,
        prefix_ids: Any,
    ) -> tuple[Any, ...]:
        """Take one step for the whole batch; a row that has ended gets PAD and 0."""
        scores, ids, *rest = carried
        weights, states = rest[: -self.num_states], rest[-self.num_states :]
        log_probs, states, new_weights = self._step(last_ids, states, constants)
        history = ops.transpose(ids) if self.options.no_repeat_ngram_size else None
        allowed = self._constrain(log_probs, step, history, prefix_ids)
        new_ids, gained = self._pick(step, log_probs, allowed, draws)
        ended = has_ended(last_ids)  # (batch, 1)
        new_ids = ops.where(ended, PAD, new_ids)
        scores = scores + ops.where(ended, 0.0, gained)[:, 0]
        ids = write(ids, step, new_ids[:, 0])
        weights = [write(buffer, step, new_weights) for buffer in weights]
        return (step + 1, new_ids, scores, ids, *weights, *states)

    def compute_output_spec(self, memory: list[Any]) -> dict[str, keras.KerasTensor]:
        return self._spec(memory)


@register
class GreedySearch(OnePath):
    """Feed the decoder its own best id until every row has ended.

    For the parameters see :class:`kseq2seq.search.token_search.TokenSearch`.

    Returns
    -------
    dict
        ``ids`` ``(batch, max_length)`` int32, END and then PAD after the answer;
        ``scores`` ``(batch,)``, the sum of the log-probabilities of the ids up to END;
        with attention ``attention_weights`` ``(batch, max_length, source_len)``, zero
        after the end.
    """

    def _pick(self, step: Any, log_probs: Any, allowed: Any, draws: Any) -> Any:
        # Not argmax: it lowers to bit operations that ONNX lacks.
        best, best_ids = ops.top_k(allowed, k=1)
        return ops.cast(best_ids, "int32"), best
