"""What a fit learns from: examples as ids, and the task that they make."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from kseq2seq.arguments import check_lengths, check_sample_weight, has_order, shown
from kseq2seq.ragged import Ragged, RaggedIds


@dataclass(frozen=True)
class FitData:
    """What `fit` was called with.

    Attributes
    ----------
    X, y : object
        As the user has them; without y, X is a stream.
    sample_weight : sequence of float, optional
    validation_data : FitData, optional
    steps_per_epoch : int, optional
        Of a stream.
    classes : sequence of labels, optional
        All that a classifier will have.
    continues : bool, default False
        Whether a fitted model learns more from it.
    num_left_out : int, default 0
        How many pairs of weight 0 there were beside these.
    codecs : pair of codecs or None
        Those of both sides, where they are learned already.
    """

    X: Any
    y: Any = None
    sample_weight: Any = None
    validation_data: FitData | None = None
    steps_per_epoch: int | None = None
    classes: Any = None
    continues: bool = False
    num_left_out: int = 0
    codecs: tuple[Any, Any] = (None, None)

    def weighted(self) -> FitData:
        """Return the same without the pairs of weight 0, which might as well not be.

        Raises
        ------
        ValueError, TypeError
            When weights are not as many as pairs, or out of their range.
        """
        sides = self.X, self.y
        if self.sample_weight is None or not all(map(_can_be_taken_from, sides)):
            return self  # where it is no data, the codecs say so
        check_lengths(*map(len, sides))
        weights = check_sample_weight(self.sample_weight, len(self.X))
        rows = np.flatnonzero(weights)
        left_out = len(weights) - len(rows)
        if left_out:
            sides = tuple(_take(side, rows) for side in sides)
        X, y = sides
        return replace(
            self, X=X, y=y, sample_weight=weights[rows], num_left_out=left_out
        )


def _can_be_taken_from(values: Any) -> bool:
    """Whether some of the values can be taken by their places."""
    if not has_order(values):
        return False
    try:
        len(values)
    except TypeError:  # an iterator's, a sparse matrix's, an array's without axes
        return False
    return True


def _take(values: Any, rows: np.ndarray) -> Any:
    """Return the values at these places, in a container of the same kind, or a list."""
    if hasattr(values, "iloc"):
        return values.iloc[rows]
    if isinstance(values, np.ndarray):
        return values[rows]
    listed = values if isinstance(values, Sequence) else list(values)
    return [listed[i] for i in rows]


@dataclass(frozen=True)
class Examples:
    """Sources as ids or values, with a target and a weight each.

    Attributes
    ----------
    sources : RaggedIds or RaggedValues
    targets : RaggedIds, or numpy.ndarray of class numbers or of values
    weights : numpy.ndarray
    """

    sources: Any
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
    source : SequenceCodec or SourceValues
    target : SequenceCodec, LabelCodec or TargetValues
    training : Examples or StreamedExamples
    validation : Examples
        None of them where nothing is validated.
    validation_values : pair of sequences
        The same as the user has them; filled in where callbacks look at them.
    """

    source: Any
    target: Any
    training: Any
    validation: Examples
    validation_values: tuple[Sequence[Any], Sequence[Any]] = field(default=((), ()))

    @property
    def num_examples(self) -> int | None:
        """How many examples there are to train on; None of a stream."""
        if isinstance(self.training, StreamedExamples):
            return None
        return len(self.training)

    def digest(self) -> str:
        """Return what tells this data from other: of a stream nothing is read."""
        found = hashlib.sha256()
        for array in self._arrays():
            found.update(str(array.shape).encode())
            found.update(np.ascontiguousarray(array).tobytes())
        return found.hexdigest()

    def _arrays(self) -> list[np.ndarray]:
        """Return what the task is made of, in the order of the first checkpoints."""
        if isinstance(self.training, StreamedExamples):
            return []
        sides = (
            self.training.sources,
            self.training.targets,
            self.validation.sources,
            self.validation.targets,
        )
        ragged = [side for side in sides if isinstance(side, Ragged)]
        ids = [array for side in ragged for array in (side.flat, side.lengths)]
        labels = [side for side in sides if isinstance(side, np.ndarray)]
        arrays = [*ids, *labels, self.training.weights]
        if (self.validation.weights != 1).any():  # the first checkpoints knew of none
            arrays.append(self.validation.weights)
        return arrays


def check_validation_data(validation_data: Any) -> FitData | None:
    """Return what to validate on, or None where nothing is given, or raise."""
    if validation_data is None:
        return None
    if not isinstance(validation_data, tuple | list) or len(validation_data) not in (
        2,
        3,
    ):
        raise TypeError(
            "validation_data must be a pair (X, y) or, with weights, (X, y, "
            f"sample_weight); got {shown(validation_data)}."
        )
    X, y, *weights = (
        list(s) if isinstance(s, Iterator) else s for s in validation_data
    )
    try:
        return FitData(X, y, sample_weight=weights[0] if weights else None).weighted()
    except (ValueError, TypeError) as error:
        raise type(error)(f"validation_data: {error}") from None


def split_rows(
    num_examples: int, fraction: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to train on and the rows to hold back."""
    rows = rng.permutation(num_examples)
    num_held_back = int(fraction * num_examples)
    return np.sort(rows[num_held_back:]), np.sort(rows[:num_held_back])
