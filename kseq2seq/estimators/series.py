"""Rows of integers that are quantities, such as counts, and no symbols."""

from __future__ import annotations

import warnings

import numpy as np

from kseq2seq.codec import SequenceCodec
from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import FIRST_TOKEN, UNK

_FEW = 30
"""So few different integers may well be symbols."""
_ALIKE = 0.6
"""The correlation from which on neighbours are alike."""


def tell_of_series(
    source: tuple[SequenceCodec, RaggedIds], target: tuple[SequenceCodec, RaggedIds]
) -> None:
    """Warn where both sides are rows of integers that seem to be quantities.

    Quantities have many values; those that are near each other are about as frequent,
    or follow each other in a row. Each would be learned as a class of its own.
    """
    if not source[0].kind == target[0].kind == "integers":
        return
    X, y = _integers(*source), _integers(*target)
    num_values = len(target[0].vocabulary.tokens)
    if num_values <= _FEW or not (_are_smooth(X) or _have_a_smooth_histogram(y)):
        return
    warnings.warn(
        f"X and y are rows of integers, and those of y, {num_values:,} different ones, "
        "seem to be quantities, such as counts: here each is a class of its own, with "
        "no order among them. For quantities use SequenceRegressor, or "
        "SequenceForecaster for time series, which learn real values.",
        stacklevel=2,
    )


def _integers(codec: SequenceCodec, ids: RaggedIds) -> np.ndarray:
    """Return the integers of a side, ``(n, width)`` float64; none if one is unknown."""
    width, ids = codec.width or 0, codec.without_features(ids)
    if UNK in ids.ids:
        return np.zeros((0, width))
    integers = np.array(codec.vocabulary.tokens, dtype=np.float64)
    return integers[ids.ids - FIRST_TOKEN].reshape(-1, width)


def _are_smooth(rows: np.ndarray) -> bool:
    """Whether neighbours in a row are alike."""
    return _correlation(rows[:, :-1].ravel(), rows[:, 1:].ravel()) > _ALIKE


def _have_a_smooth_histogram(rows: np.ndarray) -> bool:
    """Whether values that are near each other are about as frequent."""
    if not rows.size:
        return False
    low, high = rows.min(), rows.max()
    step = np.ceil((high - low + 1) / _FEW)  # each bin has as many integers
    counts, _ = np.histogram(rows, bins=low + step * np.arange(_FEW + 1))
    counts = counts[: int((high - low) // step) + 1]
    return _correlation(counts[:-1], counts[1:]) > _ALIKE


def _correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Return Pearson's correlation, 0 where one does not vary."""
    if len(first) < 2 or not (np.ptp(first) and np.ptp(second)):
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])
