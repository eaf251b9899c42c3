"""Number words to digits, "nine nine one" to "991", from 8,000 pairs.

The published figure counts symbols, feeds the gold symbol before at test time, and
counts the padding at the end of short answers. Its like stands in a row's figures, and
beside it the honest one: whole answers, decoded by the model alone, on numbers that
training has not seen. Two more exercises show what the choice of teacher forcing and
the order of the source change in that setting, in 20 epochs.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from benchmarks.exercises.results import Row
from benchmarks.exercises.training import Progress, timed_fit
from kseq2seq import Seq2SeqEstimator
from kseq2seq.batching import Batches
from kseq2seq.datasets import make_number_words
from kseq2seq.metrics import measure

SEED = 0
DIGITS = (5, 8)
PUBLISHED = (
    "LSTM of 96 units, 8,000 pairs of 5 to 8 digits, RMSprop at 0.003, batches of 80, "
    "100 epochs; teacher forcing at test time, padding counted"
)
PUBLISHED_FIGURE = {"teacher_forced_accuracy_with_padding": 0.963}

CLASSIC: dict[str, Any] = {
    "attention_kind": None,
    "units": 96,
    "cell": "lstm",
    "bidirectional": False,
    "source_embedding": "one_hot",
    "target_embedding": "one_hot",
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "batch_size": 80,
    "epochs": 100,
    "validation_fraction": 0.0,
    "random_state": SEED,
}
SHORT = {**CLASSIC, "epochs": 20}
BEST: dict[str, Any] = {
    "attention_kind": "dot",
    "units": 128,
    "dropout": 0.1,
    "label_smoothing": 0.0,
    "batch_size": 64,
    "epochs": 15,
    "validation_fraction": 0.0,
    "random_state": SEED,
}


def run(progress: Progress, *, num_samples: int = 8000) -> list[Row]:
    """Return the published setting's row and the best one."""
    classic = _row(
        progress,
        "number_words",
        "encoder-decoder",
        CLASSIC,
        num_samples,
        role="published setting",
        published_setting=PUBLISHED,
        published=PUBLISHED_FIGURE,
    )
    best = _row(
        progress, "number_words", "dot attention", BEST, num_samples, role="best"
    )
    return [classic, best]


def run_teacher_forcing(progress: Progress, *, num_samples: int = 8000) -> list[Row]:
    """Return a row for each way of feeding the decoder in training."""
    variants: dict[str, dict[str, Any]] = {
        "on (1)": {"teacher_forcing": 1.0},
        "half (0.5)": {"teacher_forcing": 0.5},
        "off (0)": {"teacher_forcing": 0.0},
        "1 to 0, inverse sigmoid": {"teacher_forcing_schedule": "inverse_sigmoid"},
    }
    return [
        _row(progress, "teacher_forcing", name, {**SHORT, **change}, num_samples)
        for name, change in variants.items()
    ]


def run_reversed_source(progress: Progress, *, num_samples: int = 8000) -> list[Row]:
    """Return the rows of sources read forwards and backwards."""
    return [
        _row(
            progress,
            "reversed_source",
            name,
            {**SHORT, "reverse_source": reverse},
            num_samples,
        )
        for name, reverse in [("forwards", False), ("backwards", True)]
    ]


def _row(
    progress: Progress,
    exercise: str,
    model: str,
    setting: dict[str, Any],
    num_samples: int,
    *,
    role: str = "other",
    **published: Any,
) -> Row:
    X_test, y_test = make_number_words(2000, *DIGITS, random_state=SEED + 1)
    X, y = make_number_words(num_samples, *DIGITS, exclude=y_test, random_state=SEED)
    told = dict(setting)
    if "cell" in setting:
        told["rmsprop_learning_rate"] = 0.003
        setting = {**setting, "optimizer": keras.optimizers.RMSprop(0.003)}
    estimator = Seq2SeqEstimator(**setting)
    progress(f"{exercise}, {model}: {len(X):,} pairs, {estimator.epochs} epochs")
    seconds = timed_fit(progress, estimator, X, y)
    return Row(
        exercise=exercise,
        model=model,
        role=role,
        setting={"num_samples": num_samples, "test_samples": len(X_test), **told},
        ours={
            **measure(y_test, estimator.predict(X_test)),
            **teacher_forced_accuracies(estimator, X_test, y_test),
        },
        parameters=estimator.models_.training.count_params(),
        seconds=seconds,
        **published,
    )


def teacher_forced_accuracies(
    estimator: Seq2SeqEstimator, X: list[str], y: list[str]
) -> dict[str, float]:
    """Return the share of symbols guessed right where the gold one before is fed.

    With padding: all answers are filled up to the longest, and what fills them counts
    as right, as it does for a model that has learned to end.
    """
    step = -1 if estimator.reverse_source else 1
    batches = Batches(
        [estimator.source_vocabulary_.encode(text)[::step] for text in X],
        [estimator.target_vocabulary_.encode(text) for text in y],
        batch_size=len(X),
        shuffle=False,
    )
    inputs, target_ids, weights = batches[0]
    logits = estimator.models_.training.predict(inputs, verbose=0)
    right = (logits.argmax(axis=-1) == target_ids) & (weights > 0)
    num_padding = int((weights == 0).sum())
    return {
        "teacher_forced_accuracy": float(right.sum() / (weights > 0).sum()),
        "teacher_forced_accuracy_with_padding": float(
            (right.sum() + num_padding) / np.size(weights)
        ),
    }
