"""Registered layers that run a decoder step by step on its own outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from kseq2seq.layers import random_uniform
from kseq2seq.vocabulary import END, PAD, START

_register = keras.saving.register_keras_serializable(package="kseq2seq")


class _Stepper(keras.layers.Layer):
    """Runs a decoder over what the encoder gave.

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
        super().__init__(**kwargs)
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
    def from_config(cls, config: dict[str, Any]) -> _Stepper:
        decoder = keras.saving.deserialize_keras_object(config["decoder"])
        return cls(**{**config, "decoder": decoder})


@_register
class GreedySearch(_Stepper):
    """Feed the decoder its own best token until every sequence has ended.

    Called with what the encoder returns: a list of decoder states and what stays the
    same at every step.

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
        super().__init__(decoder, num_states, **kwargs)
        self.max_length = max_length
        self.min_length = min_length
        self.forbidden_ids = list(forbidden_ids)

    def call(self, memory: list[Any]) -> dict[str, Any]:
        first_ids = ops.full_like(memory[0][:, :1], START, dtype="int32")  # (batch, 1)
        states, constants = self._split(memory)
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
        if not self.attends:
            return ids, scores
        return ids, scores, _empty_weights(constants[-1], self.max_length)

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
        if self.attends:
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
        if self.attends:
            shape = (batch, self.max_length, memory[-1].shape[1])
            results.append(keras.KerasTensor(shape, dtype="float32"))
        return self._named(results)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_length": self.max_length,
            "min_length": self.min_length,
            "forbidden_ids": self.forbidden_ids,
        }


def _empty_weights(source_mask: Any, max_length: int) -> Any:
    """Return attention weights of 0: ``(batch, max_length, source_len)``."""
    row = ops.cast(ops.zeros_like(source_mask), "float32")
    return ops.repeat(ops.expand_dims(row, 1), max_length, axis=1)


@_register
class Rollout(_Stepper):
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

    Returns
    -------
    dict
        ``values`` ``(batch, max_length, features)``; with attention
        ``attention_weights`` ``(batch, max_length, source_len)``.
    """

    def __init__(
        self, decoder: keras.Model, num_states: int, max_length: int, **kwargs: Any
    ) -> None:
        super().__init__(decoder, num_states, **kwargs)
        self.max_length = max_length

    def call(self, memory: list[Any]) -> dict[str, Any]:
        states, constants = self._split(memory)
        features = self.decoder.outputs[0].shape[-1]
        first = ops.repeat(ops.zeros_like(states[0][:, :1]), features, axis=1)
        first = ops.expand_dims(first, 1)  # (batch, 1, features)
        buffers = [ops.repeat(first, self.max_length, axis=1)]
        if self.attends:
            buffers.append(_empty_weights(constants[-1], self.max_length))
        num_buffers = len(buffers)

        def advance(step: Any, carried: tuple[Any, ...]) -> tuple[Any, ...]:
            last, results = carried[0], carried[1 : 1 + num_buffers]
            states = carried[1 + num_buffers :]
            values, *outputs = self.decoder([last, *states, *constants])
            here = ops.equal(ops.arange(self.max_length), step)[:, None]
            new = [ops.where(here, values, results[0])]
            if self.attends:
                new.append(ops.where(here, outputs[-1], results[1]))
            return (values, *new, *outputs[: self.num_states])

        carried = ops.fori_loop(0, self.max_length, advance, (first, *buffers, *states))
        return self._named(carried[1 : 1 + num_buffers])

    @staticmethod
    def _named(results: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(("values", "attention_weights"), results, strict=False))

    def compute_output_spec(self, memory: list[Any]) -> dict[str, keras.KerasTensor]:
        batch = memory[0].shape[0]
        features = self.decoder.outputs[0].shape[-1]
        shape = (batch, self.max_length, features)
        results = [keras.KerasTensor(shape, dtype=self.decoder.outputs[0].dtype)]
        if self.attends:
            shape = (batch, self.max_length, memory[-1].shape[1])
            results.append(keras.KerasTensor(shape, dtype="float32"))
        return self._named(results)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_length": self.max_length}


@_register
class ScheduledSampling(_Stepper):
    """Replace gold decoder inputs by the decoder's own outputs, at random.

    In training, each step after the first is fed the gold token with the probability
    `teacher_forcing`, and else what the decoder itself puts out at the step before
    (Bengio et al., 2015, arXiv:1506.03099): its best token, or its values. The decoder
    runs without dropout to find them, and no gradient flows through what it is fed. At
    inference the gold inputs pass unchanged.

    Called with gold inputs ``(batch, target_len)`` or ``(batch, target_len, features)``
    and the memory; gives what is fed, of the same shape.

    Parameters
    ----------
    decoder : keras.Model
    num_states : int
    teacher_forcing : float, default 1
        Where the probability starts; it is a weight, which a callback may set.
    seed : int, optional
    """

    def __init__(
        self,
        decoder: keras.Model,
        num_states: int,
        teacher_forcing: float = 1.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(decoder, num_states, **kwargs)
        self.teacher_forcing = teacher_forcing
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.probability = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(teacher_forcing),
            dtype="float32",
            trainable=False,
            name="teacher_forcing",
        )

    def call(self, gold: Any, memory: list[Any], training: bool = False) -> Any:
        if not training:
            return gold
        target_len = ops.shape(gold)[1]
        chance = random_uniform((ops.shape(gold)[0], target_len), self.seed_generator)
        is_gold = chance < ops.convert_to_tensor(self.probability)
        is_gold = is_gold | ops.equal(ops.arange(target_len), 0)  # START is always fed
        if len(gold.shape) > 2:
            is_gold = ops.expand_dims(is_gold, -1)
        states, constants = self._split([ops.stop_gradient(m) for m in memory])

        def feed(step: Any, carried: tuple[Any, ...]) -> tuple[Any, ...]:
            fed, own, *states = carried
            # Choose here alone: what was fed before this step stays.
            here = ops.equal(ops.arange(target_len), step)
            here = ops.reshape(here, (-1, *[1] * (len(gold.shape) - 2)))
            fed = ops.where(here & ~is_gold, own, fed)
            current = ops.take(fed, [step], axis=1)  # (batch, 1)
            outputs, *states = self.decoder(
                [current, *states, *constants], training=False
            )
            return (fed, self._own(outputs), *states[: self.num_states])

        # Not a while loop: JAX has no reverse mode for one.
        fed, *_ = ops.fori_loop(0, target_len, feed, (gold, gold[:, :1], *states))
        return ops.stop_gradient(fed)

    def _own(self, outputs: Any) -> Any:
        """Return the decoder's own next input from its logits or values."""
        if keras.backend.standardize_dtype(self.decoder.inputs[0].dtype) == "int32":
            return ops.cast(ops.argmax(outputs, axis=-1), "int32")
        return outputs

    def compute_output_spec(
        self, gold: Any, memory: list[Any], training: bool = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(gold.shape, dtype=gold.dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "teacher_forcing": self.teacher_forcing,
            "seed": self.seed,
        }
