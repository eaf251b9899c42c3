"""A timed fit that tells how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import keras

Progress = Callable[[str], None]
"""Takes a line that says how far an exercise is."""


def timed_fit(progress: Progress, estimator: Any, *data: Any, **options: Any) -> float:
    """Fit an estimator; return the seconds, compilation included.

    The callback that reports comes last, so that it sees what the others measured.
    """
    own = list(estimator.callbacks or ())
    estimator.set_params(callbacks=[*own, reporter(progress)])
    start = time.perf_counter()
    estimator.fit(*data, **options)
    return round(time.perf_counter() - start, 1)


def reporter(progress: Progress) -> keras.callbacks.Callback:
    """Return a callback that tells what each epoch measured."""

    def end(epoch: int, logs: dict[str, float]) -> None:
        measured = ", ".join(f"{name} {value:.4f}" for name, value in logs.items())
        progress(f"epoch {epoch + 1}: {measured}")

    return keras.callbacks.LambdaCallback(on_epoch_end=end)
