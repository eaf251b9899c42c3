"""One hypothesis a row, grown by an id drawn at random at every step."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import ops

from kseq2seq.layers import random_uniform
from kseq2seq.search.constraints import (
    NEVER,
    keep_top_k,
    keep_top_p,
    with_temperature,
)
from kseq2seq.search.greedy import OnePath
from kseq2seq.search.options import SearchOptions
from kseq2seq.search.stepping import register


@register
class SamplingSearch(OnePath):
    """Feed the decoder ids drawn from its own distribution until every row has ended.

    The ids that the options of :class:`kseq2seq.search.token_search.TokenSearch` leave
    are drawn with the probabilities ``softmax(log_probs / temperature)``, first cut to
    the `top_k` best of them and then to the nucleus of `top_p` (Holtzman et al., 2020,
    arXiv:1904.09751).

    For the parameters see :class:`kseq2seq.search.token_search.TokenSearch`.

    Returns
    -------
    dict
        As :class:`kseq2seq.search.GreedySearch`; the scores are the log-probabilities
        at temperature 1, with nothing cut off.
    """

    def __init__(
        self,
        decoder: keras.Model,
        num_states: int,
        max_length: int,
        options: SearchOptions | None = None,
        **kwargs: Any,
    ) -> None:
        options = options or SearchOptions(temperature=1.0)
        super().__init__(decoder, num_states, max_length, options, **kwargs)
        # Keras would take its own from Python's global generator.
        self._first_seed = (
            int(np.random.default_rng().integers(2**31))
            if options.seed is None
            else options.seed
        )
        self.seed_generator = keras.random.SeedGenerator(self._first_seed)

    def reset(self) -> None:
        """Go back to where the random numbers started."""
        state = np.array([self._first_seed, 0])
        self.seed_generator.state.assign(
            ops.cast(state, self.seed_generator.state.dtype)
        )

    def _draws(self, last_ids: Any) -> Any:
        """Return one number in [0, 1) for each step and row: ``(max_length, rows)``.

        Made before the loop, in which JAX could not keep the generator's new state.
        """
        shape = (self.max_length, ops.shape(last_ids)[0])
        return random_uniform(shape, self.seed_generator)

    def _pick(self, step: Any, log_probs: Any, allowed: Any, draws: Any) -> Any:
        draw = ops.take(draws, ops.reshape(step, (1,)), axis=0)  # (1, rows)
        ids = drawn(self._cut(allowed), ops.transpose(draw))
        return ids, ops.take_along_axis(log_probs, ids, axis=-1)

    def _cut(self, allowed: Any) -> Any:
        allowed = with_temperature(allowed, self.options.temperature or 1.0)
        if self.options.top_k is not None:
            allowed = keep_top_k(allowed, self.options.top_k)
        return (
            allowed
            if self.options.top_p is None
            else keep_top_p(allowed, self.options.top_p)
        )


def drawn(log_probs: Any, draw: Any) -> Any:
    """Return the ids ``(rows, 1)`` at which the summed probabilities pass the draws.

    What is -inf is never drawn, however the sums are rounded: their largest is taken
    among the others, and lies above every draw in [0, 1) of it.
    """
    size = log_probs.shape[-1]
    is_choice = ops.greater(log_probs, NEVER)
    best = ops.max(log_probs, axis=-1, keepdims=True)
    sums = ops.cumsum(ops.exp(log_probs - best), axis=-1)
    sums = ops.where(is_choice, sums, 0.0)
    bound = draw * ops.max(sums, axis=-1, keepdims=True)
    passes = is_choice & ops.greater(sums, bound)
    every_id = ops.arange(size, dtype="int32")
    return ops.min(ops.where(passes, every_id, size - 1), axis=-1, keepdims=True)
