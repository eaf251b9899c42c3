"""What stands in for real values that are missing."""

from __future__ import annotations

import numpy as np

from kseq2seq.ragged import RaggedValues


def without_gaps(values: np.ndarray) -> np.ndarray:
    """Return ``(n, len, features)`` with the last value that is there in place of NaN.

    Zeros stand where there is none before.
    """
    missing = np.isnan(values)
    if not missing.any():
        return values
    steps = np.arange(values.shape[1])[:, None]
    last = np.maximum.accumulate(np.where(missing, -1, steps), axis=1)
    filled = np.take_along_axis(values, np.maximum(last, 0), axis=1)
    return np.where(last < 0, np.zeros_like(values), filled)


def last_frames(sources: RaggedValues, width: int) -> np.ndarray:
    """Return the first `width` features of each source's last frame without NaN.

    Zeros stand where a source has none.
    """
    whole = ~np.isnan(sources.flat).any(axis=1)
    places = np.where(whole, np.arange(len(whole)), -1)
    ends = sources.starts + sources.lengths - 1
    last = np.maximum.accumulate(places)[ends]
    inside = (last >= sources.starts)[:, None]
    return np.where(inside, sources.flat[np.maximum(last, 0), :width], 0.0)
