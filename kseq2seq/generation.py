"""An encoder, a decoder step and a search, as one Keras model that answers."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from kseq2seq._tensorflow import without_retracing_warnings
from kseq2seq.arguments import check_whole
from kseq2seq.batching import close_and_pad
from kseq2seq.builders import Seq2SeqModels, check_seq2seq_models
from kseq2seq.layers import FixedShapeModel
from kseq2seq.search import GreedySearch, Rollout
from kseq2seq.vocabulary import PAD, START

LONGEST = 100_000
"""No answer is longer; the buffers of the search are made for the longest."""


def build_generator(
    models: Seq2SeqModels,
    max_length: int,
    *,
    min_length: int = 0,
    forbidden_ids: Sequence[int] = (PAD, START),
) -> keras.Model:
    """Build a model from ``source_ids`` to answers, with the search loop in its graph.

    The search is greedy: at every step each row takes its most probable id and is fed
    it. A row that has ended is frozen; the loop ends when all rows have. Where the
    targets are real values, each step is fed those of the step before, from a frame of
    zeros on, for `max_length` steps.

    Parameters
    ----------
    models : Seq2SeqModels
        What a builder returned; the generator shares its weights.
    max_length : int
        How many ids an answer has at most, END included; up to 100,000. How many frames
        it has, where they are real values.
    min_length : int, default 0
        How many ids must stand before END may come.
    forbidden_ids : sequence of int, default (PAD, START)
        Ids that are never chosen. It and `min_length` mean nothing to real values.

    Returns
    -------
    keras.Model
        ``source_ids (batch, source_len)`` int32, closed by END and padded, to a dict:
        ``ids (batch, max_length)`` int32, the answer, END, then PAD; ``scores
        (batch,)``, the sum of the log-probabilities of these ids; and with attention
        ``attention_weights (batch, max_length, source_len)``. For targets of real
        values, ``values (batch, max_length, target_features)`` stand in place of ids
        and scores.

    Raises
    ------
    ValueError, TypeError
        When a length is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq import build_attention_seq2seq, build_generator
    >>> models = build_attention_seq2seq(9, 8, units=4, random_state=0)
    >>> generator = build_generator(models, max_length=5)
    >>> answers = generator.predict(np.array([[4, 5, 3]]), verbose=0)
    >>> answers["ids"].shape, answers["attention_weights"].shape
    ((1, 5), (1, 5, 3))
    """
    check_seq2seq_models(models)
    check_whole("max_length", max_length, maximum=LONGEST)
    if models.has_real_targets:
        search = Rollout(models.decoder, models.num_states, max_length, name="rollout")
    else:
        search = _greedy_search(models, max_length, min_length, forbidden_ids)
    source = models.encoder.inputs[0]
    source = keras.Input(source.shape[1:], name=source.name, dtype=source.dtype)
    memory = models.encoder(source)
    if not isinstance(memory, list):
        memory = [memory]  # some of Keras's paths unpack a list of one
    # Frames of another width would fail in the depths of a backend.
    model = keras.Model if source.dtype == "int32" else FixedShapeModel
    return model(source, search(memory), name="generator")


def _greedy_search(
    models: Seq2SeqModels,
    max_length: int,
    min_length: int,
    forbidden_ids: Sequence[int],
) -> GreedySearch:
    check_whole("min_length", min_length, minimum=0, maximum=max_length)
    num_ids = models.decoder.outputs[0].shape[-1]
    if not isinstance(forbidden_ids, Sequence | np.ndarray):
        raise TypeError(f"forbidden_ids must be a list of ids; got {forbidden_ids!r}.")
    forbidden_ids = [
        check_whole("forbidden_ids", i, minimum=0, maximum=num_ids - 1)
        for i in forbidden_ids
    ]
    if len(set(forbidden_ids)) == num_ids:
        raise ValueError("forbidden_ids must leave an id to choose; got all of them.")
    return GreedySearch(
        models.decoder,
        models.num_states,
        max_length,
        min_length=min_length,
        forbidden_ids=forbidden_ids,
        name="greedy_search",
    )


BATCH_SIZE = 512
SOURCES_WORTH_COMPILING = 50_000
"""So many sources repay the seconds that XLA takes to compile the search."""


def generate(
    generator: keras.Model,
    sources: Sequence[Sequence[int]],
    *,
    batch_size: int = BATCH_SIZE,
) -> dict[str, np.ndarray]:
    """Answer id sequences of any length, sorted by length for the work, in their order.

    Parameters
    ----------
    generator : keras.Model
        From :func:`build_generator`.
    sources : sequence of sequences of int
        The ids of each source, without END.
    batch_size : int, default 512

    Returns
    -------
    dict of numpy.ndarray
        As the generator gives, one row a source; ``attention_weights`` as wide as the
        longest source with its END, and 0 beyond the end of each.
    """
    _set_jit(generator, len(sources) >= SOURCES_WORTH_COMPILING)
    order = np.argsort([len(source) for source in sources], kind="stable")
    parts = []
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        source_ids = close_and_pad([sources[i] for i in rows])
        with without_retracing_warnings():
            parts.append(generator.predict_on_batch(source_ids))
    inverse = np.argsort(order)
    return {name: _join([part[name] for part in parts])[inverse] for name in parts[0]}


def _set_jit(generator: keras.Model, compiles: bool) -> None:
    """Choose between a compiled and a plain graph; keep the one that is there."""
    if keras.backend.backend() == "tensorflow" and generator.jit_compile != compiles:
        generator.jit_compile = compiles
        generator.make_predict_function(force=True)


def _join(parts: list[np.ndarray]) -> np.ndarray:
    """Stack the rows of all parts; a last axis that is shorter gets zeros."""
    width = max(part.shape[-1] for part in parts)
    if parts[0].ndim < 3:
        return np.concatenate(parts)
    return np.concatenate(
        [np.pad(p, ((0, 0), (0, 0), (0, width - p.shape[-1]))) for p in parts]
    )
