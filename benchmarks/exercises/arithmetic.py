"""Arithmetic on numbers of up to three digits, as in ``notebooks/arithmetic.ipynb``.

Problems are written from right to left; none that is tested was trained on. The classic
setting is far too short for it. Given the time, :func:`run_solved` shows what a model
of this kind can learn of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
from matplotlib.figure import Figure
from sklearn.model_selection import train_test_split

from benchmarks.exercises.results import Row
from benchmarks.exercises.training import Progress, timed_fit
from kseq2seq import Seq2SeqEstimator
from kseq2seq.datasets import OPERATORS, make_arithmetic
from kseq2seq.metrics import exact_match
from kseq2seq.plotting import plot_attention

CLASSIC = (
    "100,000 problems of up to three digits, right to left, 75% to train on; one-hot "
    "characters, LSTM of 64 units, Adam at 0.001, batches of 64, five epochs"
)

Split = tuple[list[str], list[str], list[str], list[str]]
"""Problems to train on, to test on, and the results of both."""


def run(
    progress: Progress, *, num_samples: int = 100_000, epochs: int = 5
) -> list[Row]:
    """Return the classic exercise's rows: without attention and with it."""
    split = _split(num_samples, test_size=0.25)
    rows = []
    for model, attention_kind in [
        ("without attention", None),
        ("dot attention", "dot"),
    ]:
        setting: dict[str, Any] = {
            "attention_kind": attention_kind,
            "attention_units": 64,
            "units": 64,
            "bidirectional": False,
            "source_embedding": "one_hot",
            "target_embedding": "one_hot",
            "dropout": 0.0,
            "label_smoothing": 0.0,
            "batch_size": 64,
            "epochs": epochs,
            "patience": None,
            "validation_fraction": 0.05,
            "random_state": 0,
        }
        classic = (num_samples, epochs) == (100_000, 5)
        row = _row(
            progress,
            split,
            exercise="arithmetic",
            model=model,
            role="published setting" if classic else "other",
            setting={
                "num_samples": num_samples,
                **setting,
                "adam_learning_rate": 0.001,
            },
            estimator=Seq2SeqEstimator(
                **setting, optimizer=keras.optimizers.Adam(0.001)
            ),
            published_setting=CLASSIC,
        )
        rows.append(row)
    return rows


def run_solved(
    progress: Progress,
    *,
    num_samples: int = 400_000,
    units: int = 192,
    epochs: int = 15,
    batch_size: int = 128,
    picture: Path = Path("docs/arithmetic_attention.png"),
) -> list[Row]:
    """Return the row of a wider model with more problems and more time.

    It also draws where the answers to an addition and to a subtraction looked.
    """
    setting: dict[str, Any] = {
        "attention_kind": "dot",
        "units": units,
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "batch_size": batch_size,
        "epochs": epochs,
        "patience": None,
        "validation_fraction": 0.01,
        "random_state": 0,
    }
    estimator = Seq2SeqEstimator(**setting)
    row = _row(
        progress,
        _split(num_samples, test_size=min(10_000, num_samples // 4)),
        exercise="arithmetic_solved",
        model="dot attention, two directions",
        role="best",
        setting={"num_samples": num_samples, **setting},
        estimator=estimator,
    )
    _draw_attention(estimator, ["357+468", "357-468"], picture)
    return [row]


def _draw_attention(
    estimator: Seq2SeqEstimator, problems: list[str], picture: Path
) -> None:
    """Draw the attention maps of problems side by side, to a file."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots(1, len(problems))
    maps = estimator.attention([problem[::-1] for problem in problems])
    for ax, problem, attention in zip(axes, problems, maps, strict=True):
        answer = "".join(map(str, attention.target_tokens[:-1]))
        plot_attention(attention, ax=ax).set_title(f"{problem} = {answer}")
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=110)


def _split(num_samples: int, *, test_size: float) -> Split:
    """Split by problem, as one may occur twice."""
    problems, results = make_arithmetic(
        num_samples, reverse_source=True, random_state=0
    )
    pairs = dict(zip(problems, results, strict=True))
    return train_test_split(
        list(pairs), list(pairs.values()), test_size=test_size, random_state=0
    )


def _row(
    progress: Progress,
    split: Split,
    *,
    estimator: Seq2SeqEstimator,
    model: str,
    **known: Any,
) -> Row:
    """Train the model and measure it on the problems that it has not seen."""
    X_train, X_test, y_train, y_test = split
    progress(f"{model}: {len(X_train):,} problems, {estimator.epochs} epochs")
    seconds = timed_fit(progress, estimator, X_train, y_train)
    return Row(
        model=model,
        ours=_matches(X_test, y_test, estimator.predict(X_test)),
        parameters=estimator.models_.training.count_params(),
        seconds=seconds,
        **known,
    )


def _matches(
    problems: list[str], results: list[str], answers: list[str]
) -> dict[str, float]:
    """Return the exact match of all answers, and of each operator's."""
    matches = {"exact_match": exact_match(results, answers)}
    for sign in OPERATORS:
        rows = [i for i, problem in enumerate(problems) if sign in problem]
        if rows:
            matches[f"exact_match {sign}"] = exact_match(
                [results[i] for i in rows], [answers[i] for i in rows]
            )
    return matches
