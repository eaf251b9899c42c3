"""Echo the first integers of a row, by a decoder that repeats the encoder's state."""

from __future__ import annotations

from typing import Any

from benchmarks.exercises.results import Row
from benchmarks.exercises.training import Progress, timed_fit
from kseq2seq import Seq2SeqEstimator
from kseq2seq.datasets import make_echo
from kseq2seq.metrics import exact_match, token_accuracy

SEED = 0
PUBLISHED = "8,000 rows, 25 passes, 150 units, one-hot inputs"
CLASSIC: dict[str, Any] = {
    "decoder": "repeat",
    "attention_kind": None,
    "units": 150,
    "bidirectional": False,
    "source_embedding": "one_hot",
    "dropout": 0.0,
    "label_smoothing": 0.0,
    "batch_size": 64,
    "epochs": 25,
    "validation_fraction": 0.0,
    "random_state": SEED,
}
BEST: dict[str, Any] = {
    **CLASSIC,
    "attention_kind": "dot",
    "bidirectional": True,
    "dropout": 0.2,
    "tol": 0.0005,
}


def run(progress: Progress, *, num_samples: int = 8000) -> list[Row]:
    """Return the published setting's row and the best one."""
    known = {"published_setting": PUBLISHED, "published": {"token_accuracy": 0.9726}}
    return [
        _row(
            progress,
            "encoder-decoder",
            CLASSIC,
            num_samples,
            "published setting",
            **known,
        ),
        _row(progress, "dot attention, dropout", BEST, num_samples, "best"),
    ]


def _row(
    progress: Progress,
    model: str,
    setting: dict[str, Any],
    num_samples: int,
    role: str,
    **published: Any,
) -> Row:
    X, y = make_echo(num_samples, random_state=SEED)
    X_test, y_test = make_echo(10_000, random_state=SEED + 1)
    estimator = Seq2SeqEstimator(**setting)
    progress(f"{model}: {len(X):,} rows, {estimator.epochs} epochs")
    seconds = timed_fit(progress, estimator, X, y)
    answers = estimator.predict(X_test)
    return Row(
        exercise="echo",
        model=model,
        role=role,
        setting={
            "num_samples": num_samples,
            "test_samples": len(X_test),
            **setting,
            "epochs_run": len(estimator.history_["loss"]),
        },
        ours={
            "token_accuracy": token_accuracy(y_test, answers),
            "exact_match": exact_match(y_test, answers),
        },
        parameters=estimator.models_.training.count_params(),
        seconds=seconds,
        **published,
    )
