"""Attention that moves through the source in its order, and marginalizes over how."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops

from kseq2seq import _tensorflow
from kseq2seq.layers.copying import log_of_sum
from kseq2seq.layers.masks import NEVER
from kseq2seq.vocabulary import PAD

_register = keras.saving.register_keras_serializable(package="kseq2seq")


@_register
class FirstPlace(keras.layers.Layer):
    """What :class:`MonotonicAttention` knows before its first step: the first place.

    Called with the mask of the source ``(batch, source_len)``; gives ``(batch,
    source_len, size)`` float32: 0 at the first place, whichever id is fed first, and
    -1e9 at the others.

    Parameters
    ----------
    size : int
        The size of the target vocabulary.
    """

    def __init__(self, size: int, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})
        self.size = size

    def call(self, source_mask: Any) -> Any:
        places = ops.arange(ops.shape(source_mask)[1], dtype="int32")
        surely = ops.zeros_like(source_mask, dtype="float32")
        first = ops.where(ops.equal(places, 0), surely, NEVER)
        return ops.repeat(ops.expand_dims(first, -1), self.size, axis=-1)

    def compute_output_spec(self, source_mask: Any) -> keras.KerasTensor:
        return keras.KerasTensor((*source_mask.shape, self.size), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size}


@_register
class PlaceVectors(keras.layers.Layer):
    """The attentional vector of every decoder output and every place of the source.

    It is ``tanh(q + k)``, q what the decoder output and k what the encoder output of
    the place brings to it, which is one dense layer over both.

    Called with ``(batch, target_len, width)`` and ``(batch, source_len, width)``; gives
    ``(batch, target_len * source_len, width)``: all places of the first step, then all
    of the second ...
    """

    def call(self, queries: Any, keys: Any) -> Any:
        steps, places = _length(queries), _length(keys)
        vectors = ops.tanh(ops.expand_dims(queries, 2) + ops.expand_dims(keys, 1))
        batch, width = queries.shape[0] or -1, queries.shape[-1]
        return ops.reshape(vectors, (batch, steps * places, width))

    def compute_output_spec(self, queries: Any, keys: Any) -> keras.KerasTensor:
        batch, steps, width = queries.shape
        places = keys.shape[1]
        length = None if steps is None or places is None else steps * places
        return keras.KerasTensor((batch, length, width), dtype=self.compute_dtype)


@_register
class MonotonicAttention(keras.layers.Layer):
    """Hard attention that never moves back, by exact marginals over all its ways.

    Each answered token y_t stands at one place a_t of the source, and no place comes
    before that of the token before. With q_t the query of a decoder output and h_j the
    encoder outputs, ``e_tj = q_t . h_j`` and

        ``P(a_t = j | a_{t-1} = i) = exp(e_tj) / sum_{k >= i} exp(e_tk)`` for j >= i,

    else 0; a_0 is the first place. ``P(y_t | a_t = j)`` is the softmax of the logits of
    the place. The sum over all ways is exact, by the forward recursion over t (Wu and
    Cotterell, 2019, arXiv:1905.06319):

        ``prior_t(j) = sum_i P(a_t = j | a_{t-1} = i) P(a_{t-1} = i | y_1 ... y_{t-1})``
        ``P(y_t = w | y_1 ... y_{t-1}) = sum_j prior_t(j) P(y_t = w | a_t = j)``

    Where tokens can be copied, a place whose token has the target id c says ``g P(w |
    a_t = j) + (1 - g) [w = c]``, with g the sigmoid of its switch.

    Called with the logits of all places ``(batch, target_len * source_len,
    vocabulary)``, as :class:`PlaceVectors` has them in order, queries ``(batch,
    target_len, width)``, encoder outputs ``(batch, source_len, width)`` and their mask
    ``(batch, source_len)``, the decoder input ids ``(batch, target_len)``, the state
    ``(batch, source_len, vocabulary)``, and for copying the switches ``(batch,
    target_len * source_len, 1)`` and the target ids of the source's tokens ``(batch,
    source_len)``, 0 where one cannot be copied. The state has, for every w, the
    logarithm of ``P(a_{t-1} = j, y_{t-1} = w | y_1 ... y_{t-2})``: the id fed at a step
    says which of them came true.

    Gives ``log P(y_t | ...)`` ``(batch, target_len, vocabulary)``, which stands where
    logits do as it is its own log-softmax; the new state, of the last step; and
    ``prior_t(j)`` as attention weights ``(batch, target_len, source_len)``. All are
    float32.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"dtype": "float32", **kwargs})

    def call(
        self,
        logits: Any,
        queries: Any,
        encoder_outputs: Any,
        source_mask: Any,
        ids: Any,
        state: Any,
        switches: Any = None,
        copy_ids: Any = None,
        training: bool = False,
    ) -> tuple[Any, Any, Any]:
        # The state knows fixed lengths, which the encoder outputs need not.
        shape = (state.shape[0] or -1, _length(queries), _length(state))
        scores = ops.matmul(queries, ops.transpose(encoder_outputs, (0, 2, 1)))
        scores = ops.where(ops.expand_dims(source_mask, 1), scores, NEVER)
        scores = ops.reshape(scores, shape)

        def of_places(values: Any) -> Any:
            return ops.reshape(values, (*shape, values.shape[-1]))

        emissions = of_places(ops.log_softmax(logits))
        if switches is not None:
            emissions = _with_copies(emissions, of_places(switches), copy_ids)
        came = _of_ids(ops.expand_dims(state, 1), ids[:, :1])[:, 0]
        start = came - ops.logsumexp(came, axis=-1, keepdims=True)
        remaining = _sums(scores, from_here=True)
        if ids.shape[1] == 1:
            reached = _sums(start - remaining[:, 0], from_here=False)
            priors = scores + ops.expand_dims(reached, 1)
        else:
            # What the last step emits is fed to no step of these.
            next_ids = ops.concatenate([ids[:, 1:], ids[:, :1]], axis=1)
            emitted = _of_ids(emissions, next_ids)
            priors = _priors(scores, remaining, emitted, start, training=training)
        joint = ops.expand_dims(priors, -1) + emissions
        return ops.logsumexp(joint, axis=2), joint[:, -1], ops.exp(priors)

    def compute_output_spec(
        self,
        logits: Any,
        queries: Any,
        encoder_outputs: Any,
        source_mask: Any,
        ids: Any,
        state: Any,
        switches: Any = None,
        copy_ids: Any = None,
        training: bool = False,
    ) -> tuple[Any, Any, Any]:
        batch, steps = ids.shape
        _, places, size = state.shape
        shapes = (batch, steps, size), (batch, places, size), (batch, steps, places)
        log_probs, new_state, weights = (
            keras.KerasTensor(shape, dtype="float32") for shape in shapes
        )
        return log_probs, new_state, weights


def _priors(
    scores: Any, remaining: Any, emitted: Any, start: Any, *, training: bool
) -> Any:
    """Return the logarithms of ``prior_t(j)``: ``(batch, target_len, source_len)``.

    Parameters
    ----------
    scores, remaining : tensor ``(batch, target_len, source_len)``
        Those of each place, and of it and all later ones together.
    emitted : tensor ``(batch, target_len, source_len)``
        ``log P(y_t | a_t = j)`` of the token that came.
    start : tensor ``(batch, source_len)``
        ``log P(a_0 = j)``.
    training : bool
    """
    by_step = [ops.transpose(a, (1, 0, 2)) for a in (scores, remaining, emitted)]
    if keras.backend.backend() == "tensorflow":
        priors = _tensorflow.monotonic_priors(
            by_step[0], by_step[1], by_step[2], start, training=training
        )
        return ops.transpose(priors, (1, 0, 2))

    def advance(before: Any, given: tuple[Any, Any, Any]) -> tuple[Any, Any]:
        scores, remaining, emitted = given
        prior = scores + _sums(before - remaining, from_here=False)
        came = prior + emitted
        return came - ops.logsumexp(came, axis=-1, keepdims=True), prior

    _, priors = ops.scan(advance, start, tuple(by_step))
    return ops.transpose(priors, (1, 0, 2))


def _sums(values: Any, *, from_here: bool) -> Any:
    """Return the logarithm of the sum up to each place, or from it on, it included.

    `values` are logarithms ``(..., source_len)``. Each sum is one of its own: one that
    runs along would lose what is small beside the largest of all.
    """
    places = ops.arange(_length(values, -1), dtype="int32")
    one, other = ops.expand_dims(places, 1), ops.expand_dims(places, 0)
    counts = other >= one if from_here else other <= one
    return ops.logsumexp(ops.where(counts, ops.expand_dims(values, -2), NEVER), axis=-1)


def _of_ids(log_probs: Any, ids: Any) -> Any:
    """Return what ``(batch, len, places, vocabulary)`` hold of ids ``(batch, len)``.

    A sum over the vocabulary, as its gradient is no scatter.
    """
    every_id = ops.arange(log_probs.shape[-1], dtype="int32")
    is_it = ops.equal(ops.cast(ids, "int32")[:, :, None, None], every_id)
    return ops.sum(ops.where(is_it, log_probs, 0.0), axis=-1)


def _with_copies(emissions: Any, switches: Any, copy_ids: Any) -> Any:
    """Return the emissions of places that may copy their token."""
    every_id = ops.arange(emissions.shape[-1], dtype="int32")
    copies = ops.not_equal(copy_ids, PAD)[:, None, :, None]
    is_copy = ops.equal(copy_ids[:, None, :, None], every_id) & copies
    generated = emissions + ops.where(copies, ops.log_sigmoid(switches), 0.0)
    copied = ops.where(is_copy, ops.log_sigmoid(-switches), NEVER)
    return log_of_sum(generated, copied)


def _length(values: Any, axis: int = 1) -> Any:
    """Return the length of an axis, a number where it is known."""
    return values.shape[axis] or ops.shape(values)[axis]
