"""Checks of the data that estimators get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras


def check_lengths(num_sources: int, num_targets: int) -> None:
    """Raise unless there are as many targets as sources."""
    if num_sources != num_targets:
        raise ValueError(
            "X and y must be as long, one answer for each source; got "
            f"{num_sources} in X and {num_targets} in y."
        )


def check_validation_data(validation_data: Any) -> tuple[Any, Any]:
    """Return X and y, or raise unless there are these two."""
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        raise TypeError(
            "validation_data must be a pair (X, y), without weights; got "
            f"{type(validation_data).__name__}."
        )
    X, y = validation_data
    return (
        list(X) if isinstance(X, Iterator) else X,
        list(y) if isinstance(y, Iterator) else y,
    )


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
