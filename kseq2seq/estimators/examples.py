"""What a fit learns from: examples as ids, and the task that they make."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kseq2seq.codec import SequenceCodec
from kseq2seq.ragged import RaggedIds


@dataclass(frozen=True)
class FitData:
    """What `fit` was called with.

    Attributes
    ----------
    X, y : object
        As the user has them; without y, X is a stream.
    sample_weight : sequence of float, optional
    validation_data : pair (X, y), optional
    steps_per_epoch : int, optional
        Of a stream.
    classes : sequence of labels, optional
        All that a classifier will have.
    """

    X: Any
    y: Any = None
    sample_weight: Any = None
    validation_data: tuple[Any, Any] | None = None
    steps_per_epoch: int | None = None
    classes: Any = None


@dataclass(frozen=True)
class Examples:
    """Sources as ids, with a target and a weight each.

    Attributes
    ----------
    sources : RaggedIds
    targets : RaggedIds, or numpy.ndarray of class numbers
    weights : numpy.ndarray
    """

    sources: RaggedIds
    targets: Any
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.sources)

    def take(self, rows: np.ndarray) -> Examples:
        """Return the examples of these rows."""
        targets = self.targets
        taken = targets.take(rows) if isinstance(targets, RaggedIds) else targets[rows]
        return Examples(self.sources.take(rows), taken, self.weights[rows])


@dataclass(frozen=True)
class StreamedExamples:
    """Batches of ids that come as they are used.

    Attributes
    ----------
    batches : iterator of (sources, targets)
    targets : RaggedIds
        Of the first batch.
    batch_size : int
    steps : int
        Batches an epoch.
    """

    batches: Iterator[tuple[RaggedIds, RaggedIds]]
    targets: RaggedIds
    batch_size: int
    steps: int


@dataclass(frozen=True)
class Task:
    """What a model is trained and validated on, and how its ids came about.

    Attributes
    ----------
    source : SequenceCodec
    target : SequenceCodec or LabelCodec
    training : Examples or StreamedExamples
    validation : Examples
        None of them where nothing is validated.
    validation_values : pair of sequences
        The same as the user has them; filled in where callbacks look at them.
    """

    source: SequenceCodec
    target: Any
    training: Any
    validation: Examples
    validation_values: tuple[Sequence[Any], Sequence[Any]] = field(default=((), ()))


def check_validation_data(validation_data: Any) -> tuple[Any, Any] | None:
    """Return X and y, or None where none are given, or raise."""
    if validation_data is None:
        return None
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


def split_rows(
    num_examples: int, fraction: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and the rows to hold back."""
    rows = rng.permutation(num_examples)
    num_held_back = int(fraction * num_examples)
    return np.sort(rows[num_held_back:]), np.sort(rows[:num_held_back])
