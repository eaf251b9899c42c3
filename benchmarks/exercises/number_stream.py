"""Number words to digits from an endless stream, no pair prepared in advance.

The validation numbers never come in the stream.
"""

from __future__ import annotations

from typing import Any

from benchmarks.exercises.results import Row
from benchmarks.exercises.training import Progress, timed_fit
from kseq2seq import Seq2SeqEstimator
from kseq2seq.datasets import make_number_words, stream_number_words
from kseq2seq.metrics import measure
from kseq2seq.training import FreeRunningValidation

SEED = 0
DIGITS = (5, 10)
STREAM: dict[str, Any] = {
    "source_vocabulary": " efghinorstuvwxz",
    "target_vocabulary": "0123456789",
    "max_length": DIGITS[1],
    "cell": "gru",
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "patience": None,
    "random_state": SEED,
}
SMALL = {**STREAM, "attention_kind": None, "embedding_dim": 8, "units": 16}
MODELS: dict[str, dict[str, Any]] = {
    "GRU, 16 units": {**SMALL, "bidirectional": False},
    "GRU, 16 units, two directions": {**SMALL, "bidirectional": True},
    "GRU, 128 units, two directions, dot attention": {
        **STREAM,
        "attention_kind": "dot",
        "embedding_dim": 32,
        "units": 128,
    },
}


def run(
    progress: Progress, *, steps_per_epoch: int = 200, epochs: int = 20
) -> list[Row]:
    """Return a row for each model, the last one the best."""
    return [
        _row(progress, name, setting, steps_per_epoch, epochs)
        for name, setting in MODELS.items()
    ]


def _row(
    progress: Progress,
    model: str,
    setting: dict[str, Any],
    steps_per_epoch: int,
    epochs: int,
) -> Row:
    X, y = make_number_words(2000, *DIGITS, random_state=SEED + 1)
    stream = stream_number_words(*DIGITS, exclude=y, random_state=SEED)
    estimator = Seq2SeqEstimator(
        **setting, epochs=epochs, callbacks=[FreeRunningValidation(max_pairs=500)]
    )
    progress(f"{model}: {epochs} epochs of {steps_per_epoch} batches")
    seconds = timed_fit(
        progress,
        estimator,
        stream,
        steps_per_epoch=steps_per_epoch,
        validation_data=(X, y),
    )
    return Row(
        exercise="number_stream",
        model=model,
        role="best" if model == [*MODELS][-1] else "other",
        setting={
            **setting,
            "batch_size": estimator.batch_size,
            "steps_per_epoch": steps_per_epoch,
            "epochs": epochs,
            "test_samples": len(X),
        },
        ours=measure(y, estimator.predict(X)),
        parameters=estimator.models_.training.count_params(),
        seconds=seconds,
    )
