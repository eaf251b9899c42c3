"""Checks of the data that estimators get."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from keras.callbacks import Callback


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
    """Raise unless callbacks is None or a sequence of callbacks, or of their makers."""
    if callbacks is None:
        return
    listed = callbacks if isinstance(callbacks, list | tuple) else [None]
    if not all(isinstance(item, Callback) or callable(item) for item in listed):
        raise TypeError(
            "callbacks must be a list of keras.callbacks.Callback objects, or of "
            f"functions that make one; got {callbacks!r:.200}."
        )


def new_callbacks(callbacks: Sequence[Callback | Callable[[], Callback]]) -> list[Any]:
    """Return a copy of each callback, or what its maker makes."""
    copies = copy.deepcopy(list(callbacks))  # at once: one may know of another
    made = [c if isinstance(c, Callback) else c() for c in copies]
    for maker, callback in zip(callbacks, made, strict=True):
        if not isinstance(callback, Callback):
            raise TypeError(
                "a function among the callbacks must return a "
                f"keras.callbacks.Callback; {maker!r:.60} returned {callback!r:.60}."
            )
    return made
