"""Pairs of id sequences to padded batches; the teacher-forcing shift is made here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from kseq2seq.arguments import check_sample_weight, check_whole, random_generator
from kseq2seq.vocabulary import END, PAD, START

Batch = tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]


def pad(sequences: Sequence[Sequence[int]], width: int | None = None) -> np.ndarray:
    """Return the sequences as one int32 array, PAD on the right.

    Parameters
    ----------
    sequences : sequence of sequences of int
    width : int, optional
        The array's width; that of the longest sequence when None.

    Returns
    -------
    numpy.ndarray
        int32, ``(len(sequences), width)``.

    Examples
    --------
    >>> from kseq2seq.batching import pad
    >>> pad([[4, 3], [5, 6, 3]])
    array([[4, 3, 0],
           [5, 6, 3]], dtype=int32)
    """
    lengths = np.fromiter(map(len, sequences), dtype=np.int64, count=len(sequences))
    if width is None:
        width = int(lengths.max(initial=0))
    padded = np.full((len(sequences), width), PAD, dtype=np.int32)
    inside = np.arange(width) < lengths[:, None]
    padded[inside] = [i for sequence in sequences for i in sequence]
    return padded


def close_and_pad(
    sequences: Sequence[Sequence[int]], width: int | None = None
) -> np.ndarray:
    """Close every sequence with END and pad; so even an empty one has an id to read.

    Parameters and result as in :func:`pad`.
    """
    return pad([[*sequence, END] for sequence in sequences], width)


def shift(target_ids: np.ndarray) -> np.ndarray:
    """Return the decoder's inputs: START, then the targets without their last column.

    Parameters
    ----------
    target_ids : numpy.ndarray
        int32, ``(batch, target_len)``, each row closed by END.

    Returns
    -------
    numpy.ndarray
        int32, ``(batch, target_len)``: at every step the token before the one to come.
    """
    decoder_input_ids = np.full_like(target_ids, START)
    decoder_input_ids[:, 1:] = target_ids[:, :-1]
    return decoder_input_ids


@dataclass(frozen=True)
class _Bucket:
    """Pairs of like lengths, padded to the same widths."""

    source_ids: np.ndarray
    target_ids: np.ndarray
    weights: np.ndarray


class Batches(keras.utils.PyDataset):
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
    num_buckets : int, default 1
        Into how many groups of like lengths the pairs are sorted, at most.
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
        num_buckets: int = 1,
        sample_weight: np.ndarray | None = None,
        shuffle: bool = True,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__()
        if len(sources) != len(targets) or not len(sources):
            raise ValueError(
                "batches need at least one pair and as many sources as targets; got "
                f"{len(sources)} sources and {len(targets)} targets."
            )
        self.batch_size = check_whole("batch_size", batch_size)
        check_whole("num_buckets", num_buckets)
        self.shuffle = shuffle
        self._generator = random_generator(random_state)
        weights = check_sample_weight(sample_weight, len(sources))
        self._buckets: list[_Bucket] = []
        for rows in _rows_by_length(sources, targets, num_buckets):
            self._add_bucket(
                [sources[i] for i in rows],
                [targets[i] for i in rows],
                weights[rows],
            )
        self._plan = self._draw_plan(shuffle=False)

    def _add_bucket(
        self,
        sources: list[Sequence[int]],
        targets: list[Sequence[int]],
        sample_weight: np.ndarray,
    ) -> None:
        """Pad the pairs of a bucket, no narrower than those of the bucket before."""
        source_ids, target_ids = close_and_pad(sources), close_and_pad(targets)
        if self._buckets:
            before = self._buckets[-1]
            source_ids = _widen(source_ids, before.source_ids.shape[1])
            target_ids = _widen(target_ids, before.target_ids.shape[1])
        weights = (target_ids != PAD) * sample_weight[:, None]
        self._buckets.append(_Bucket(source_ids, target_ids, weights))

    def on_epoch_begin(self) -> None:
        """Draw the epoch's order: of the rows in a bucket and of the batches."""
        if self.shuffle:
            self._plan = self._draw_plan(shuffle=True)

    def _draw_plan(self, *, shuffle: bool) -> list[tuple[int, np.ndarray]]:
        """Return the bucket and the rows of each batch."""
        plan = []
        for b, bucket in enumerate(self._buckets):
            rows = np.arange(len(bucket.source_ids))
            if shuffle:
                rows = self._generator.permutation(rows)
            for start in range(0, len(rows), self.batch_size):
                plan.append((b, rows[start : start + self.batch_size]))
        if shuffle:
            plan = [plan[i] for i in self._generator.permutation(len(plan))]
        return self._extremes_first(plan)

    def _extremes_first(
        self, plan: list[tuple[int, np.ndarray]]
    ) -> list[tuple[int, np.ndarray]]:
        """Begin with a batch of the shortest and one of the longest bucket.

        Keras takes from the first two batches which widths vary.
        """
        first, last = (
            next(i for i, (b, _) in enumerate(plan) if b == extreme)
            for extreme in (0, len(self._buckets) - 1)
        )
        rest = [batch for i, batch in enumerate(plan) if i not in (first, last)]
        return [plan[i] for i in dict.fromkeys((first, last))] + rest

    @property
    def num_buckets(self) -> int:
        """How many shapes the batches have."""
        return len(self._buckets)

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> Batch:
        b, rows = self._plan[index]
        bucket = self._buckets[b]
        fill = self.batch_size - len(rows)
        weights = bucket.weights[rows]
        if fill:
            rows = np.concatenate([rows, np.repeat(rows[:1], fill)])
            weights = np.concatenate([weights, np.zeros((fill, weights.shape[1]))])
        target_ids = bucket.target_ids[rows]
        inputs = {
            "source_ids": bucket.source_ids[rows],
            "decoder_input_ids": shift(target_ids),
        }
        return inputs, target_ids, weights.astype(np.float32)


def _rows_by_length(
    sources: Sequence[Sequence[int]],
    targets: Sequence[Sequence[int]],
    num_buckets: int,
) -> list[np.ndarray]:
    """Sort the rows by length and cut them into groups, equal lengths together."""
    lengths = np.array([len(s) + len(t) for s, t in zip(sources, targets, strict=True)])
    cuts = np.quantile(lengths, np.arange(1, num_buckets) / num_buckets)
    group = np.searchsorted(cuts, lengths)
    return [np.flatnonzero(group == g) for g in np.unique(group)]


def _widen(ids: np.ndarray, width: int) -> np.ndarray:
    missing = max(width - ids.shape[1], 0)
    return np.pad(ids, ((0, 0), (0, missing)), constant_values=PAD)
