"""Compile and fit a training model, fast where it pays."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras

from kseq2seq._tensorflow import without_retracing_warnings
from kseq2seq.batching import BucketedBatches, StreamBatches

STEPS_WORTH_COMPILING = 800
"""So many steps of one shape repay the seconds that XLA takes to compile it."""

STEPS_PER_EXECUTION = 32


def plan_buckets(num_pairs: int, *, batch_size: int, epochs: int) -> int:
    """Return into how many length buckets to sort: 1 to 4, each worth compiling."""
    steps = epochs * num_pairs / batch_size
    return int(min(max(steps // STEPS_WORTH_COMPILING, 1), 4))


class StreamError(ValueError):
    """A stream failed or ended early while a model was being fitted on it.

    Attributes
    ----------
    history : dict of str to list of float
        Of the epochs before, whose learning the model keeps.
    """

    def __init__(self, message: str, history: dict[str, list[float]]) -> None:
        super().__init__(message)
        self.history = history


def fit_batches(
    model: keras.Model,
    batches: BucketedBatches | StreamBatches,
    *,
    optimizer: keras.optimizers.Optimizer,
    loss: keras.losses.Loss,
    metrics: Sequence[keras.metrics.Metric] = (),
    epochs: int = 1,
    validation_batches: BucketedBatches | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = 0,
) -> dict[str, list[float]]:
    """Compile and fit a training model; return its history.

    An interrupt (Ctrl-C) ends the fit after the step under way, with a warning, and
    what was learned stays; a second one raises ``KeyboardInterrupt``.

    Parameters
    ----------
    model : keras.Model
        ``Seq2SeqModels.training``, or another that maps the batches' inputs to logits.
    batches, validation_batches : BucketedBatches or StreamBatches
    optimizer : keras.optimizers.Optimizer
        A new one.
    loss : keras.losses.Loss
        Of training and of validation.
    metrics : sequence of keras.metrics.Metric
        Weighted as the loss is.
    epochs : int, default 1
    callbacks : sequence of keras.callbacks.Callback
        Where one of them wants every batch it gets every batch, at some cost in speed.
    verbose : {0, 1, 2, "auto"}, default 0
        Keras's progress bar: none, a bar, or a line an epoch.

    Returns
    -------
    dict
        A list under ``"loss"`` (the mean of the batches' losses), each metric's name
        and, with validation, the same with ``"val_"`` before it: one value an epoch.

    Raises
    ------
    StreamError
        When the stream behind the batches failed or ended early.
    """
    compiles = len(batches) * epochs >= STEPS_WORTH_COMPILING * batches.num_buckets
    steps_per_execution = min(STEPS_PER_EXECUTION, max(len(batches) // 4, 1))
    if any(map(_wants_batches, callbacks)):
        steps_per_execution = 1
    model.compile(
        optimizer,
        loss=loss,
        weighted_metrics=list(metrics),
        jit_compile=True if compiles and _supports_jit(model) else "auto",
        steps_per_execution=steps_per_execution,
    )
    history = keras.callbacks.History()
    try:
        with _interruptible(model), without_retracing_warnings():
            model.fit(
                batches,
                epochs=epochs,
                validation_data=validation_batches,
                callbacks=[*callbacks, history],
                verbose=verbose,
                shuffle=False,  # batches shuffle; Keras would by Python's global seed
            )
    except Exception:
        cause = getattr(batches, "error", None)
        if cause is None:
            raise
        if not isinstance(cause, Exception):
            raise cause from None  # an interrupt stays one
        raise StreamError(_said(cause), _plain(history)) from cause
    return _plain(history)


def _said(cause: Exception) -> str:
    """Return what our own errors say, or what failed."""
    ours = isinstance(cause, ValueError | TypeError) and str(cause)
    return str(cause) if ours else f"the stream failed: {cause!r}."


def _plain(history: keras.callbacks.History) -> dict[str, list[float]]:
    return {
        name: [float(value) for value in values]
        for name, values in getattr(history, "history", {}).items()
    }


def _supports_jit(model: keras.Model) -> bool:
    """Whether XLA can take every layer; on a GPU the cuDNN layers prefer otherwise."""
    layers = model._flatten_layers()  # Keras has no public way down into Bidirectional
    return all(layer.supports_jit for layer in layers)


def _wants_batches(callback: keras.callbacks.Callback) -> bool:
    """Whether a callback does something at every training batch."""
    hooks = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin")
    base = keras.callbacks.Callback
    return any(
        getattr(type(callback), hook) is not getattr(base, hook)
        for hook in (*hooks, "on_batch_end")
    )


@contextmanager
def _interruptible(model: keras.Model) -> Iterator[None]:
    """Turn the first SIGINT into a stop after the step under way."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may handle signals
        return
    interrupts = []

    def stop(signum: int, frame: Any) -> None:
        interrupts.append(signum)
        model.stop_training = True
        signal.signal(signal.SIGINT, previous)

    previous = signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if interrupts:
        warnings.warn(
            "interrupted: training ended early; the model keeps what it has learned.",
            stacklevel=3,
        )
