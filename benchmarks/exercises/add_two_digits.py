"""Add the digit after a marker and the last digit: which cells remember how long."""

from __future__ import annotations

from functools import partial
from typing import Any

from benchmarks.exercises.results import Row
from benchmarks.exercises.training import Progress, timed_fit
from kseq2seq import SequenceClassifier
from kseq2seq.datasets import make_add_two_digits

SEED = 0
CELLS = ("rnn", "lstm", "gru")
LENGTHS = (5, 10, 30)
LONG = (50, 100)
PUBLISHED_LENGTH = 10
PUBLISHED: dict[str, Any] = {
    "published_setting": "2 layers of 128, 50,000 rows to train on, 1,000 to test on",
    "published": {"accuracy": 0.08},
}
SETTING: dict[str, Any] = {
    "num_layers": 2,
    "units": 128,
    "dropout": 0.0,
    "batch_size": 128,
    "epochs": 12,
    "tol": 0.01,
    "patience": None,
    "random_state": SEED,
}


def run(
    progress: Progress,
    *,
    num_samples: int = 50_000,
    cells: tuple[str, ...] = CELLS,
    lengths: tuple[int, ...] = LENGTHS,
    exercise: str = "add_two_digits",
) -> list[Row]:
    """Return a row for each cell and length."""
    return [
        _row(progress, exercise, cell, length, num_samples)
        for length in lengths
        for cell in cells
    ]


run_long = partial(run, exercise="add_two_digits_long", lengths=LONG)
"""The same at lengths at which a simple RNN fails."""


def _row(
    progress: Progress,
    exercise: str,
    cell: str,
    length: int,
    num_samples: int,
) -> Row:
    X, y = make_add_two_digits(num_samples, length, random_state=SEED)
    X_test, y_test = make_add_two_digits(1000, length, random_state=SEED + 1)
    estimator = SequenceClassifier(cell=cell, **SETTING)
    model = f"{cell}, length {length}"
    progress(f"{model}: {len(X):,} rows, up to {estimator.epochs} epochs")
    seconds = timed_fit(progress, estimator, X, y, validation_data=(X_test, y_test))
    return Row(
        exercise=exercise,
        model=model,
        role="best" if (cell, length) == ("lstm", max(LENGTHS)) else "other",
        setting={
            "length": length,
            "cell": cell,
            "num_samples": num_samples,
            "test_samples": len(X_test),
            **SETTING,
            "epochs_run": len(estimator.history_["loss"]),
        },
        ours={
            "accuracy": float(estimator.score(X_test, y_test)),
            "train_accuracy": estimator.history_["accuracy"][-1],
        },
        parameters=estimator.model_.count_params(),
        seconds=seconds,
        **PUBLISHED if length == PUBLISHED_LENGTH else {},
    )
