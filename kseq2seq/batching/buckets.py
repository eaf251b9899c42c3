"""A data set that is there as a whole: sorted into length buckets, and shuffled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import (
    LARGEST_BATCH,
    check_batch_size,
    check_flag,
    check_sample_weight,
    check_whole,
    make_rng,
    shown,
)
from kseq2seq.batching.lengths import group_by_length
from kseq2seq.batching.padding import shift, shift_values
from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import PAD

Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]
"""Inputs by name, targets and weights."""


@dataclass(frozen=True)
class Bucket:
    """Examples of like lengths, padded to the same widths.

    Attributes
    ----------
    inputs : dict of str to numpy.ndarray
    targets, weights : numpy.ndarray
        A row each for an example, as have the inputs.
    """

    inputs: dict[str, np.ndarray]
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def widths(self) -> tuple[int, ...]:
        """How long the inputs are."""
        return tuple(array.shape[1] for array in self.inputs.values())

    def batch(self, rows: np.ndarray, size: int) -> Batch:
        """Return the rows, and as many of weight 0 as make the size."""
        rows, weights = _filled(rows, self.weights, size)
        inputs = {name: array[rows] for name, array in self.inputs.items()}
        return inputs, self.targets[rows], weights


class PairBucket:
    """Pairs of like lengths, padded to the same widths when a batch is made of them.

    Parameters
    ----------
    sources, targets : RaggedIds
        Without END; those of other buckets may be among them.
    rows : numpy.ndarray
        Which of them are in this bucket.
    sample_weight : numpy.ndarray
        The weight of each of these rows.
    widths : pair of int
        Of the padded sources and targets, END included.
    """

    def __init__(
        self,
        sources: RaggedIds,
        targets: RaggedIds,
        rows: np.ndarray,
        sample_weight: np.ndarray,
        widths: tuple[int, int],
    ) -> None:
        self._sides, self._rows = (sources, targets), rows
        self._weights, self.widths = sample_weight, widths

    def __len__(self) -> int:
        return len(self._rows)

    def batch(self, rows: np.ndarray, size: int) -> Batch:
        """Return the rows, and as many of weight 0 as make the size."""
        rows, weights = _filled(rows, self._weights, size)
        source_ids, target_ids = (
            side.padded(self._rows[rows], width, closed=True)
            for side, width in zip(self._sides, self.widths, strict=True)
        )
        inputs = {"source_ids": source_ids, "decoder_input_ids": shift(target_ids)}
        return inputs, target_ids, np.where(target_ids == PAD, 0, weights[:, None])


def _most_different(widths: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return two that differ in as many places as any two do; none of a single one.

    Where some differ in one place and some in another, two differ in both.
    """
    pairs = combinations(range(len(widths)), 2)
    return max(
        pairs,
        key=lambda pair: sum(map(int.__ne__, *(widths[b] for b in pair))),
        default=(),
    )


def _filled(
    rows: np.ndarray, weights: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and their weights, filled up to a size with weights of 0."""
    fill = max(size - len(rows), 0)
    weights = weights[rows].astype(np.float32)
    nothing = np.zeros((fill, *weights.shape[1:]), np.float32)
    rows = np.concatenate([rows, np.repeat(rows[:1], fill)])
    return rows, np.concatenate([weights, nothing])


LONGEST_RUN = 32
"""So many batches of one shape follow each other at most, and may train in one call."""


LARGE = 200_000
"""So many weights keep a step short; more make it longer, about as many times."""


def relative_size(num_weights: int) -> float:
    """Return how many times longer a step takes than a small model's; 1 at least."""
    return max(num_weights / LARGE, 1.0)


def run_length(num_batches: int, num_weights: int = 0) -> int:
    """Return how many batches of an epoch to take at once: a quarter at most.

    So that progress shows. Batches of one bucket in a row teach a model their length
    only, so there are no more of them than speed asks for.
    """
    longest = int(LONGEST_RUN / relative_size(num_weights))
    return max(min(num_batches // 4, longest), 1)


class BucketedBatches(keras.utils.PyDataset):
    """Batches of a size from each bucket.

    The last batch of a bucket is filled up with rows of weight 0, so that a compiled
    step sees as many shapes as there are buckets. Batches of one bucket come in runs.

    Parameters
    ----------
    buckets : sequence of Bucket or PairBucket
    batch_sizes : sequence of int
        How many rows a batch of each bucket has.
    shuffle : bool
    random_state : int or numpy.random.Generator, optional
    """

    def __init__(
        self,
        buckets: Sequence[Bucket | PairBucket],
        batch_sizes: Sequence[int],
        *,
        shuffle: bool,
        random_state: int | np.random.Generator | None,
    ) -> None:
        super().__init__()
        self.batch_sizes = list(batch_sizes)
        self.shuffle = check_flag("shuffle", shuffle)
        self._rng = make_rng(random_state)
        self._buckets = buckets
        self._telling = _most_different([bucket.widths for bucket in buckets])
        self.run_length = run_length(len(self))

    @property
    def run_length(self) -> int:
        """How many batches of one bucket follow each other at most."""
        return self._run_length

    @run_length.setter
    def run_length(self, length: int) -> None:
        self._run_length = length
        self._plan = self._draw_plan(shuffle=False)

    def on_epoch_begin(self) -> None:
        """Draw the epoch's order: of the rows in a bucket and of the runs."""
        if self.shuffle:
            self._plan = self._draw_plan(shuffle=True)

    def _draw_plan(self, *, shuffle: bool) -> list[tuple[int, np.ndarray]]:
        """Return the bucket and the rows of each run.

        Keras takes from the first two batches which widths vary: so where they do, a
        batch of each of two buckets that tell comes first, by itself.
        """
        first, plan = [], []
        for b, bucket in enumerate(self._buckets):
            size = self.batch_sizes[b]
            step = self.run_length * size
            rows = np.arange(len(bucket))
            if shuffle:
                rows = self._rng.permutation(rows)
            if b in self._telling:
                first.append((b, rows[:size]))
                rows = rows[size:]
            plan += [(b, rows[i : i + step]) for i in range(0, len(rows), step)]
        if shuffle:
            plan = [plan[i] for i in self._rng.permutation(len(plan))]
        return first + plan

    @property
    def random_state(self) -> dict[str, Any]:
        """Where the random numbers of the epochs' orders stand, as JSON values."""
        return dict(self._rng.bit_generator.state)

    @random_state.setter
    def random_state(self, state: dict[str, Any]) -> None:
        self._rng.bit_generator.state = state

    @property
    def num_buckets(self) -> int:
        """How many shapes the batches have."""
        return len(self._buckets)

    def __len__(self) -> int:
        sizes = zip(self._buckets, self.batch_sizes, strict=True)
        return sum(-(-len(bucket) // size) for bucket, size in sizes)

    def __getitem__(self, index: int) -> Batch:
        if index < 0:
            raise IndexError(f"batches have the numbers from 0; got {index}.")
        for b, rows in self._plan:
            size = self.batch_sizes[b]
            batches_in_run = -(-len(rows) // size)
            if index < batches_in_run:
                rows = rows[index * size : (index + 1) * size]
                return self._buckets[b].batch(rows, size)
            index -= batches_in_run
        raise IndexError(f"there are {len(self)} batches.")

    def runs(self, length: int) -> Runs:
        """Return the same batches, so many of a run stacked at most."""
        check_whole("length", length)
        return Runs(self, length)


class Runs:
    """The batches of a data set, those that follow each other in one shape stacked.

    Each element is as a batch with an axis more in front, as long as the longest run;
    among the inputs ``"num_batches" (1,)`` tells how many batches of it count.
    """

    def __init__(self, batches: BucketedBatches, length: int) -> None:
        self.batches, self.length = batches, length
        self._plan = self._cut_plan()

    def on_epoch_begin(self) -> None:
        """Draw the epoch's order."""
        self.batches.on_epoch_begin()
        self._plan = self._cut_plan()

    def _cut_plan(self) -> list[tuple[int, np.ndarray]]:
        """Return the bucket and the rows of each element."""
        steps = [self.length * size for size in self.batches.batch_sizes]
        return [
            (b, rows[i : i + steps[b]])
            for b, rows in self.batches._plan
            for i in range(0, len(rows), steps[b])
        ]

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Batch:
        b, rows = self._plan[index]
        size = self.batches.batch_sizes[b]
        batch = self.batches._buckets[b].batch(rows, self.length * size)
        inputs, targets, weights = keras.tree.map_structure(
            lambda array: array.reshape(self.length, size, *array.shape[1:]), batch
        )
        num_batches = np.array([-(-len(rows) // size)], dtype=np.int32)
        return {**inputs, "num_batches": num_batches}, targets, weights


class Batches(BucketedBatches):
    """Batches of pairs, in few shapes, for ``fit`` and ``evaluate``.

    Each batch is ``({"source_ids", "decoder_input_ids"}, target_ids, weights)``; the
    weights ``(batch, target_len)`` are the pair's own on every token and 0 on padding.
    The last batch of a bucket is filled up with rows of weight 0, so that a compiled
    step sees as many shapes as there are buckets.

    Parameters
    ----------
    sources, targets : sequences of sequences of int
        The ids of each pair, without START and END.
    batch_size : int, default 64
        How many pairs a batch has.
    batch_tokens : int, optional
        How many tokens, in place of pairs, each side of a batch has at most, END and
        padding included: in a bucket of longer pairs a batch has fewer, and at least
        one.
    num_buckets : int, default 1
        Into how many groups of like lengths the pairs are sorted, at most: cut so that
        padding takes the fewest places.
    sample_weight : array of float ``(n_pairs,)``, optional
        The weight of each pair; 1 when None.
    shuffle : bool, default True
        Whether each epoch has its own order. The order of an epoch depends on
        `random_state` and on the epoch's number alone.
    random_state : int, optional

    Raises
    ------
    ValueError
        When there is no pair, or the two sides differ in length.

    Examples
    --------
    >>> from kseq2seq.batching import Batches
    >>> batches = Batches([[4], [5, 6]], [[7], [8]], batch_size=2, shuffle=False)
    >>> inputs, target_ids, weights = batches[0]
    >>> inputs["decoder_input_ids"], target_ids
    (array([[2, 7],
           [2, 8]], dtype=int32), array([[7, 3],
           [8, 3]], dtype=int32))
    """

    def __init__(
        self,
        sources: Sequence[Sequence[int]],
        targets: Sequence[Sequence[int]],
        *,
        batch_size: int = 64,
        batch_tokens: int | None = None,
        num_buckets: int = 1,
        sample_weight: np.ndarray | None = None,
        shuffle: bool = True,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        sides = RaggedIds.of(sources), RaggedIds.of(targets)
        check_sides(len(sides[0]), len(sides[1]), "targets")
        check_batch_size(batch_size)
        weights = check_sample_weight(sample_weight, len(sides[0]))
        lengths = [side.lengths for side in sides]
        buckets = []
        whole = 1 if batch_tokens is not None else batch_size
        for rows in group_by_length(lengths, num_buckets, batch_size=whole):
            source_width, target_width = (int(side[rows].max()) + 1 for side in lengths)
            widths = source_width, target_width
            buckets.append(PairBucket(*sides, rows, weights[rows], widths))
        sizes = [batch_size] * len(buckets)
        if batch_tokens is not None:
            check_whole("batch_tokens", batch_tokens, maximum=LARGEST_BATCH)
            fitting = [max(batch_tokens // max(b.widths), 1) for b in buckets]
            sizes = [min(n, len(b)) for n, b in zip(fitting, buckets, strict=True)]
        super().__init__(buckets, sizes, shuffle=shuffle, random_state=random_state)


class LabelBatches(BucketedBatches):
    """Batches of sequences with a label each: ``({"source_ids"}, labels, weights)``.

    Parameters
    ----------
    sources : sequence of sequences of int
        The ids of each source, without END.
    labels : array of int ``(n_sources,)``
    batch_size, num_buckets, sample_weight, shuffle, random_state
        As in :class:`Batches`; weights are ``(batch,)``.

    Raises
    ------
    ValueError
        When there is no source, or there are not as many labels.

    Examples
    --------
    >>> from kseq2seq.batching import LabelBatches
    >>> batches = LabelBatches([[4], [5, 6]], [0, 1], batch_size=2, shuffle=False)
    >>> inputs, labels, weights = batches[0]
    >>> inputs["source_ids"], labels
    (array([[4, 3, 0],
           [5, 6, 3]], dtype=int32), array([0, 1], dtype=int32))
    """

    def __init__(
        self,
        sources: Sequence[Sequence[int]],
        labels: Sequence[int] | np.ndarray,
        *,
        batch_size: int = 64,
        num_buckets: int = 1,
        sample_weight: np.ndarray | None = None,
        shuffle: bool = True,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        sources = RaggedIds.of(sources)
        labels = _check_labels(labels)
        check_sides(len(sources), len(labels), "labels")
        check_batch_size(batch_size)
        weights = check_sample_weight(sample_weight, len(sources))
        buckets = []
        lengths = [sources.lengths]
        for rows in group_by_length(lengths, num_buckets, batch_size=batch_size):
            inputs = {"source_ids": sources.padded(rows, closed=True)}
            buckets.append(Bucket(inputs, labels[rows], weights[rows]))
        sizes = [batch_size] * len(buckets)
        super().__init__(buckets, sizes, shuffle=shuffle, random_state=random_state)


class ValueBatches(BucketedBatches):
    """Batches of real-valued sequences, all of one length on each side.

    Each batch is ``({"source_values", "decoder_input_values"}, target_values,
    weights)``, the weights ``(batch, target_len)``.

    Parameters
    ----------
    source_values : array of float ``(n, source_len, source_features)``
    target_values : array of float ``(n, target_len, target_features)``
    batch_size, sample_weight, shuffle, random_state
        As in :class:`Batches`.

    Raises
    ------
    ValueError
        When an array has other axes, is not finite, or the two differ in length.

    Examples
    --------
    >>> import numpy as np
    >>> from kseq2seq.batching import ValueBatches
    >>> batches = ValueBatches(np.ones((4, 6, 2)), np.ones((4, 3, 1)), batch_size=2)
    >>> inputs, target_values, weights = batches[0]
    >>> inputs["decoder_input_values"][0].tolist()
    [[0.0], [1.0], [1.0]]
    """

    def __init__(
        self,
        source_values: np.ndarray,
        target_values: np.ndarray,
        *,
        batch_size: int = 64,
        sample_weight: np.ndarray | None = None,
        shuffle: bool = True,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        source_values = _check_values("source_values", source_values)
        target_values = _check_values("target_values", target_values)
        check_sides(len(source_values), len(target_values), "targets")
        weights = check_sample_weight(sample_weight, len(source_values))
        inputs = {
            "source_values": source_values,
            "decoder_input_values": shift_values(target_values),
        }
        weights = np.repeat(weights[:, None], target_values.shape[1], axis=1)
        super().__init__(
            [Bucket(inputs, target_values, weights)],
            [check_batch_size(batch_size)],
            shuffle=shuffle,
            random_state=random_state,
        )


def _check_labels(labels: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return labels as int32, or raise unless they are class numbers."""
    try:
        array = np.asarray(labels)
    except ValueError:  # lists of different lengths
        array = np.array(None)
    whole = array.ndim == 1 and (array.dtype.kind in "iu" or not array.size)
    largest = np.iinfo(np.int32).max
    if not whole or array.min(initial=0) < 0 or array.max(initial=0) > largest:
        raise ValueError(
            f"labels must be whole numbers from 0, of shape (n,); got {shown(labels)}."
        )
    return array.astype(np.int32)


def _check_values(name: str, values: np.ndarray) -> np.ndarray:
    """Return values as float32, or raise unless they are a sequence of frames each."""
    try:
        array = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError):
        raise TypeError(
            f"{name} must be an array of numbers; got {type(values).__name__}."
        ) from None
    if array.ndim != 3 or 0 in array.shape[1:]:
        raise ValueError(
            f"{name} must be of shape (n, len, features); got {array.shape}. A series "
            "of single values needs a last axis of 1."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite; it holds NaN or infinity.")
    return array


def check_sides(num_sources: int, num_targets: int, name: str) -> None:
    """Raise unless there are sources, and as many of the other side."""
    if num_sources != num_targets or not num_sources:
        raise ValueError(
            f"batches need at least one source and as many {name} as sources; got "
            f"{num_sources} sources and {num_targets} {name}."
        )
