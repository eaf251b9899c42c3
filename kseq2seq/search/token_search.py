"""What every search for ids has in common: its options, and one step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kseq2seq.search.constraints import (
    end_not_before,
    forbid,
    force_own_prefix,
    force_prefix,
    no_ngram_twice,
)
from kseq2seq.search.options import SearchOptions
from kseq2seq.search.stepping import Stepper, weights_in
from kseq2seq.vocabulary import END, PAD


class TokenSearch(Stepper):
    """Feeds the decoder ids that it chose among its own.

    Called with what the encoder returns: a list of decoder states and what stays the
    same at every step. With the option `prefix_input` the prefixes come after it.

    Parameters
    ----------
    decoder : keras.Model
        One step: ``[decoder_input_ids, *memory]`` to ``[logits, *states]`` and, with
        attention, the weights.
    num_states : int
        How many of the decoder's inputs and outputs are states.
    max_length : int
        The loop ends after this many ids at the latest.
    options : SearchOptions, optional

    Notes
    -----
    No option renormalizes the scores: they are sums of the model's own
    log-probabilities, of forced ids too.
    """

    def __init__(
        self,
        decoder: keras.Model,
        num_states: int,
        max_length: int,
        options: SearchOptions | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(decoder, num_states, **kwargs)
        self.max_length = max_length
        self.options = options or SearchOptions()

    @property
    def gives_weights(self) -> bool:
        """Whether the answers come with attention weights."""
        return self.attends and self.options.attention_weights

    def _step(
        self, last_ids: Any, states: Sequence[Any], constants: Sequence[Any]
    ) -> tuple[Any, list[Any], Any]:
        """Return log-probabilities ``(rows, vocabulary)``, states and the weights."""
        logits, *outputs = self.decoder([last_ids, *states, *constants])
        log_probs = ops.log_softmax(ops.cast(logits[:, 0], "float32"))
        weights = weights_in(outputs) if self.attends else None
        return log_probs, list(outputs[: self.num_states]), weights

    def _without_prefix(self, given: list[Any]) -> tuple[list[Any], Any]:
        """Return what the encoder gave, and the prefixes, None where none come."""
        if not self.options.prefix_input:
            return given, None
        return list(given[:-1]), given[-1]

    def _constrain(
        self, log_probs: Any, step: Any, ids: Any, prefix_ids: Any = None
    ) -> Any:
        """Return -inf for what the options take out, the rest as it is.

        `ids` ``(rows, max_length)`` may be None where the n-grams do not matter. Their
        rule comes last, as it gives way where it would leave nothing.
        """
        log_probs = force_prefix(log_probs, step, self.options.forced_prefix)
        if prefix_ids is not None:
            log_probs = force_own_prefix(log_probs, step, prefix_ids)
        log_probs = forbid(log_probs, self.options.forbidden_ids)
        log_probs = end_not_before(log_probs, step, self.options.min_length)
        if not self.options.no_repeat_ngram_size:
            return log_probs
        return no_ngram_twice(log_probs, ids, step, self.options.no_repeat_ngram_size)

    @staticmethod
    def _named(results: Sequence[Any]) -> dict[str, Any]:
        names = ("ids", "scores", "attention_weights")
        return dict(zip(names, results, strict=False))

    def _spec(self, memory: list[Any], *answers: int) -> dict[str, keras.KerasTensor]:
        """Return the results' shapes; `answers` is an axis after the batch's."""
        memory, _ = self._without_prefix(memory)
        leading = (memory[0].shape[0], *answers)
        results = [
            keras.KerasTensor((*leading, self.max_length), dtype="int32"),
            keras.KerasTensor(leading, dtype="float32"),
        ]
        if self.gives_weights:
            shape = (*leading, self.max_length, memory[-1].shape[1])
            results.append(keras.KerasTensor(shape, dtype="float32"))
        return self._named(results)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_length": self.max_length,
            **dataclasses.asdict(self.options),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> TokenSearch:
        config = dict(config)
        if "return_attention" in config:  # files of version 0.1
            config["attention_weights"] = config.pop("return_attention")
        known = [field.name for field in dataclasses.fields(SearchOptions)]
        options = {name: config.pop(name) for name in known if name in config}
        decoder = keras.saving.deserialize_keras_object(config.pop("decoder"))
        return cls(decoder, options=SearchOptions(**options), **config)


def has_ended(last_ids: Any) -> Any:
    """Return where a row has ended, given the ids it was last given."""
    return ops.equal(last_ids, END) | ops.equal(last_ids, PAD)


def without_ended(weights: Any, ids: Any) -> Any:
    """Return the weights ``(..., max_length, source_len)``, 0 after each answer's end.

    `ids` are ``(..., max_length)``.
    """
    ended = has_ended(ids)
    before = ops.concatenate([ops.zeros_like(ended[..., :1]), ended[..., :-1]], axis=-1)
    return ops.where(ops.expand_dims(before, -1), 0.0, weights)
