"""Sequences of real values through a generator, in batches, in their order."""

from __future__ import annotations

from typing import NamedTuple

import keras
import numpy as np

from kseq2seq import _tensorflow
from kseq2seq.answering.source_batches import (
    BATCH_SIZE,
    Rows,
    filled,
    run_in_batches,
)
from kseq2seq.ragged import RaggedValues


class _Sources(NamedTuple):
    """Sequences of real values that a model reads, NaN behind the shorter ones."""

    sequences: RaggedValues

    @property
    def lengths(self) -> np.ndarray:
        """How many frames each row has."""
        return self.sequences.lengths

    def batch(self, rows: np.ndarray, size: int | None) -> np.ndarray:
        """Return rows as an array, filled up with the first to a number of rows."""
        return self.sequences.padded(filled(rows, size))


class _Known(NamedTuple):
    """What is known ahead of each step of each row: ``(n, steps, features)``."""

    values: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """The same number of steps for each row."""
        return np.full(len(self.values), self.values.shape[1])

    def batch(self, rows: np.ndarray, size: int | None) -> np.ndarray:
        """Return rows as an array, filled up with the first to a number of rows."""
        return self.values[filled(rows, size)]


def generate_values(
    generator: keras.Model,
    sources: RaggedValues,
    decoder_features: np.ndarray | None = None,
    *,
    has_gaps: bool,
    batch_size: int = BATCH_SIZE,
) -> dict[str, np.ndarray]:
    """Answer sequences of real values, of any length, in their order.

    Parameters
    ----------
    generator : keras.Model
        From :func:`kseq2seq.build_generator`.
    sources : RaggedValues
        Scaled.
    decoder_features : numpy.ndarray, optional
        ``(n, max_length, features)``, for a generator that reads them.
    has_gaps : bool
        Whether the models leave out frames that are NaN; otherwise each batch has
        sources of one length.
    batch_size : int, default 512

    Returns
    -------
    dict of numpy.ndarray
        As the generator gives, one row a source, without attention weights.
    """
    _tensorflow.check_can_run()
    lengths = sources.lengths
    groups = [np.arange(len(sources))]
    if not has_gaps:
        groups = [np.flatnonzero(lengths == length) for length in np.unique(lengths)]
    rows, parts = [], []
    for group in groups:
        sides: list[Rows] = [_Sources(sources.take(group))]
        if decoder_features is not None:
            sides.append(_Known(decoder_features[group]))
        for batch, answers in run_in_batches(generator, sides, batch_size=batch_size):
            rows.append(group[batch])
            parts.append(answers)
    inverse = np.argsort(np.concatenate(rows))
    return {
        name: np.concatenate([part[name] for part in parts])[inverse]
        for name in parts[0]
        if name != "attention_weights"
    }
