"""Checks of the data that estimators get."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np


def check_lengths(num_sources: int, num_targets: int) -> None:
    """Raise unless there are as many targets as sources."""
    if num_sources != num_targets:
        raise ValueError(
            "X and y must hold as many sequences, one answer for each source; got "
            f"{num_sources} in X and {num_targets} in y."
        )


def check_sample_weight(
    sample_weight: Sequence[float] | None, num_pairs: int
) -> np.ndarray:
    """Return a weight for each pair, 1 where none are given."""
    if sample_weight is None:
        return np.ones(num_pairs, dtype=np.float32)
    try:
        weights = np.asarray(sample_weight, dtype=np.float32)
    except (TypeError, ValueError):
        raise TypeError(
            f"sample_weight must be numbers, one for each pair; got {sample_weight!r}."
        ) from None
    if weights.shape != (num_pairs,):
        raise ValueError(
            f"sample_weight must be of shape ({num_pairs},), a weight for each pair; "
            f"got {weights.shape}."
        )
    if not (np.isfinite(weights).all() and (weights >= 0).all() and weights.any()):
        raise ValueError(
            "sample_weight must be finite, at least 0, and above 0 for some pair."
        )
    return weights


def check_callbacks(callbacks: Any) -> None:
    """Raise unless callbacks is None or a sequence of Keras callbacks."""
    if callbacks is None:
        return
    listed = callbacks if isinstance(callbacks, list | tuple) else [None]
    if not all(isinstance(item, keras.callbacks.Callback) for item in listed):
        raise TypeError(
            "callbacks must be a list of keras.callbacks.Callback objects; got "
            f"{callbacks!r}."
        )
