"""Examples of like lengths in buckets, and their batches in a drawn order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Protocol

import keras
import numpy as np

from kseq2seq.arguments import (
    check_flag,
    check_whole,
    make_rng,
)
from kseq2seq.batching.padding import shift
from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import PAD

Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]
"""Inputs by name, targets and weights."""


class Rows(Protocol):
    """Examples of like lengths, by their numbers."""

    @property
    def widths(self) -> tuple[int, ...]:
        """The length of each input, padding included."""

    def __len__(self) -> int: ...

    def batch(self, rows: np.ndarray, size: int) -> Batch:
        """Return a batch of the rows, filled up to the size with rows of weight 0."""


@dataclass(frozen=True)
class Bucket:
    """Examples of like lengths, padded to the same widths.

    Attributes
    ----------
    inputs : dict of str to numpy.ndarray
    targets, weights : numpy.ndarray
        One row for each example, as in the inputs.
    """

    inputs: dict[str, np.ndarray]
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.targets)

    @property
    def widths(self) -> tuple[int, ...]:
        """The length of each input, padding included."""
        return tuple(array.shape[1] for array in self.inputs.values())

    def batch(self, rows: np.ndarray, size: int) -> Batch:
        """Return a batch of the rows, filled up to the size with rows of weight 0."""
        rows, weights = _filled(rows, self.weights, size)
        inputs = {name: array[rows] for name, array in self.inputs.items()}
        return inputs, self.targets[rows], weights


class PairBucket:
    """Pairs of like lengths, padded to the same widths when a batch is made of them.

    Parameters
    ----------
    sources, targets : RaggedIds
        All pairs, those of other buckets too; without END.
    rows : numpy.ndarray
        The indices of the pairs that are in this bucket.
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
        """Return a batch of the rows, filled up to the size with rows of weight 0."""
        rows, weights = _filled(rows, self._weights, size)
        source_ids, target_ids = (
            side.padded(self._rows[rows], width, closed=True)
            for side, width in zip(self._sides, self.widths, strict=True)
        )
        inputs = {"source_ids": source_ids, "decoder_input_ids": shift(target_ids)}
        return inputs, target_ids, np.where(target_ids == PAD, 0, weights[:, None])


def _most_different(widths: Sequence[tuple[int, ...]]) -> tuple[int, ...]:
    """Return the indices of two buckets whose widths differ on the most sides.

    There are none where there is a single bucket. Where the source widths of some
    buckets differ and the target widths of some do, there are two that differ in both.
    """

    def differing_sides(pair: tuple[int, int]) -> int:
        one, other = (widths[b] for b in pair)
        return sum(a != b for a, b in zip(one, other, strict=True))

    pairs = combinations(range(len(widths)), 2)
    return max(pairs, key=differing_sides, default=())


def _filled(
    rows: np.ndarray, weights: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and their weights, filled up with the first row at weight 0."""
    fill = max(size - len(rows), 0)
    weights = weights[rows].astype(np.float32)
    nothing = np.zeros((fill, *weights.shape[1:]), np.float32)
    rows = np.concatenate([rows, np.repeat(rows[:1], fill)])
    return rows, np.concatenate([weights, nothing])


LONGEST_RUN = 32
"""The largest number of batches that may train in one call."""


LONGEST_RUN_OF_ONE_SHAPE = 4
"""The same where they must be of one bucket, of several that there are."""


MOST_VALUES = 2**23
"""Of an array that a call gets: padded to its longest rows, it must not fill memory."""


LARGE = 200_000
"""A model of up to this many weights takes a short step; beyond it, the time of a step
grows about in proportion to the weights."""


def relative_size(num_weights: int) -> float:
    """Return how many times longer a step takes than a small model's; 1 at least."""
    return max(num_weights / LARGE, 1.0)


def run_length(num_batches: int, num_weights: int = 0, num_buckets: int = 1) -> int:
    """Return how many batches to take at once: at most a quarter of a bucket's.

    More would hide the progress; and a large model gains little from them, as its steps
    take longer. The number of buckets counts where all batches of a run have one shape:
    while they follow each other, a model learns nothing of other lengths, which costs
    accuracy.
    """
    longest = LONGEST_RUN if num_buckets == 1 else LONGEST_RUN_OF_ONE_SHAPE
    longest = int(longest / relative_size(num_weights))
    return max(min(num_batches // (4 * num_buckets), longest), 1)


class BucketedBatches(keras.utils.PyDataset):
    """Batches of a size from each bucket.

    The last batch of a bucket is filled up with rows of weight 0, so that a compiled
    step sees only as many shapes as there are buckets. Batches come in any order; with
    a `run_length` of more than 1, several of one bucket in a row.

    Parameters
    ----------
    buckets : sequence of Bucket, PairBucket or others of their methods
    batch_sizes : sequence of int
        How many rows a batch of each bucket has.
    shuffle : bool
    random_state : int or numpy.random.Generator, optional
    """

    def __init__(
        self,
        buckets: Sequence[Rows],
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
        self._come_first = _most_different([bucket.widths for bucket in buckets])
        self.run_length = 1

    @property
    def run_length(self) -> int:
        """The largest number of batches of one bucket in a row."""
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

        Keras reads from the first two batches which widths vary. So the plan starts
        with a run of one batch from each of the two buckets whose widths differ most.
        """
        first, plan = [], []
        for b, size in enumerate(self.batch_sizes):
            step = self.run_length * size
            rows = self._draw_rows(b, shuffle=shuffle)
            if b in self._come_first:
                first.append((b, rows[:size]))
                rows = rows[size:]
            plan += [(b, rows[i : i + step]) for i in range(0, len(rows), step)]
        if shuffle:
            plan = [plan[i] for i in self._rng.permutation(len(plan))]
        return first + plan

    def _draw_rows(self, bucket: int, *, shuffle: bool) -> np.ndarray:
        """Return the rows of a bucket in the order in which they come."""
        rows = np.arange(len(self._buckets[bucket]))
        return self._rng.permutation(rows) if shuffle else rows

    @property
    def random_state(self) -> dict[str, Any]:
        """The state of the generator that draws the epochs' orders, as JSON values."""
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

    def runs(self, length: int, *, by_shape: bool = False) -> Runs:
        """Return the same batches, up to `length` of them together: :class:`Runs`."""
        check_whole("length", length)
        return Runs(self, length, by_shape=by_shape)


class Runs:
    """The batches of a data set, in their order, several of them stacked.

    Each element is a batch whose arrays have one more axis in front, of size `length`,
    and are padded to the largest shape of all buckets. Among the inputs stand, of the
    batches that it holds, ``"num_batches" (1,)``, how many they are; ``"kinds"
    (length,)``, the place of each one's shape in `shapes`; and ``"lengths" (length,
    arrays)``, the size of the second axis of each array, in the order of
    ``keras.tree.flatten``.

    Parameters
    ----------
    batches : BucketedBatches
    length : int
        The largest number of batches in an element. It becomes smaller where rows are
        so long that an array would have more than MOST_VALUES values.
    by_shape : bool
        Whether each shape is a kind of its own, or each number of rows, whatever their
        lengths.

    Attributes
    ----------
    shapes : list of tuple
        Of each kind how many rows a batch has, and the sizes of the second axes of its
        arrays, None where they differ.
    """

    def __init__(
        self, batches: BucketedBatches, length: int, *, by_shape: bool = False
    ) -> None:
        self.batches = batches
        examples = [
            bucket.batch(np.zeros(1, np.int64), size)
            for bucket, size in zip(batches._buckets, batches.batch_sizes, strict=True)
        ]
        self._example = examples[0]
        flat = [keras.tree.flatten(example) for example in examples]
        self._lengths = np.array(
            [[array.shape[1] if array.ndim > 1 else 0 for array in f] for f in flat],
            dtype=np.int32,
        )
        self._largest = [
            np.max([array.shape for array in same], axis=0)
            for same in zip(*flat, strict=True)
        ]
        most_values = max(int(np.prod(shape)) for shape in self._largest)
        self.length = max(min(length, MOST_VALUES // most_values), 1)
        kinds = [
            (size, tuple(lengths) if by_shape else None)
            for size, lengths in zip(
                batches.batch_sizes, self._lengths.tolist(), strict=True
            )
        ]
        self.shapes = list(dict.fromkeys(kinds))
        self._kinds = np.array([*map(self.shapes.index, kinds)], dtype=np.int32)
        self._plan = self._cut_plan()

    def on_epoch_begin(self) -> None:
        """Draw the epoch's order."""
        self.batches.on_epoch_begin()
        self._plan = self._cut_plan()

    def _cut_plan(self) -> list[list[tuple[int, np.ndarray]]]:
        """Return the buckets and the rows of the batches of each element."""
        sizes = self.batches.batch_sizes
        single = [
            (b, rows[i : i + sizes[b]])
            for b, rows in self.batches._plan
            for i in range(0, len(rows), sizes[b])
        ]
        return [single[i : i + self.length] for i in range(0, len(single), self.length)]

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Batch:
        plan = self._plan[index]
        buckets = np.zeros(self.length, dtype=np.int64)
        buckets[: len(plan)] = [bucket for bucket, _ in plan]
        stacked = [
            np.zeros((self.length, *largest), array.dtype)
            for largest, array in zip(
                self._largest, keras.tree.flatten(self._example), strict=True
            )
        ]
        for bucket in np.unique(buckets[: len(plan)]):
            places, own = self._joined(plan, bucket)
            for array, part in zip(stacked, own, strict=True):
                each = part.reshape(len(places), -1, *part.shape[1:])
                where: Any = (places, *map(slice, each.shape[1:]))
                array[where] = each
        inputs, targets, weights = keras.tree.pack_sequence_as(self._example, stacked)
        told = {
            "num_batches": np.array([len(plan)], dtype=np.int32),
            "kinds": self._kinds[buckets],
            "lengths": self._lengths[buckets],
        }
        return {**inputs, **told}, targets, weights

    def _joined(
        self, plan: list[tuple[int, np.ndarray]], bucket: int
    ) -> tuple[list[int], list[np.ndarray]]:
        """Return where a bucket's batches stand, and their arrays one after the other.

        The one batch that is not full comes last, so that it is filled up.
        """
        own = [k for k, (b, _) in enumerate(plan) if b == bucket]
        places = sorted(own, key=lambda k: -len(plan[k][1]))
        rows = np.concatenate([plan[k][1] for k in places])
        size = self.batches.batch_sizes[bucket]
        batch = self.batches._buckets[bucket].batch(rows, len(places) * size)
        return places, keras.tree.flatten(batch)


def check_sides(num_sources: int, num_targets: int, name: str) -> None:
    """Raise unless there are sources, and as many of the other side."""
    if num_sources != num_targets or not num_sources:
        raise ValueError(
            f"batches need at least one source and as many {name} as sources; got "
            f"{num_sources} sources and {num_targets} {name}."
        )
