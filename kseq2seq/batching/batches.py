"""Batches of a data set that is in memory as a whole: pairs, labels, real values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kseq2seq.arguments import (
    LARGEST_BATCH,
    check_batch_size,
    check_choice,
    check_numbers,
    check_sample_weight,
    check_unmasked,
    check_whole,
    shown,
)
from kseq2seq.batching.buckets import (
    Bucket,
    BucketedBatches,
    PairBucket,
    check_sides,
)
from kseq2seq.batching.gaps import last_frames, without_gaps
from kseq2seq.batching.lengths import group_by_length
from kseq2seq.batching.padding import FIRST_VALUES, shift_values
from kseq2seq.ragged import RaggedIds, RaggedValues


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
    """Batches of real-valued sequences.

    Each batch is ``({"source_values", "decoder_input_values"}, target_values,
    weights)``, with ``"decoder_features"`` among the inputs where they are given; the
    weights are ``(batch, target_len)``. Targets that are missing, NaN, are for a loss
    that leaves them out (:class:`kseq2seq.training.ValueLoss`); in their place the
    decoder is fed the last value that is there.

    Parameters
    ----------
    source_values : array of float ``(n, source_len, source_features)``
        Or ``kseq2seq.ragged.RaggedValues``, sequences of different lengths, which are
        filled up with NaN on the right.
    target_values : array of float ``(n, target_len, target_features)``
    decoder_features : array of float ``(n, target_len, features)``, optional
        What is known ahead of each step.
    first_values : {"zeros", "last"}, default "zeros"
        What the decoder is fed at its first step: zeros, or the first features of the
        source's last frame.
    allows_nan : bool, default False
        Whether NaN may stand for what is missing, for models with `mask_nan`.
    batch_size, num_buckets, sample_weight, shuffle, random_state
        As in :class:`Batches`.

    Raises
    ------
    ValueError
        When an array has other axes, is not finite, or two differ in length.

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
        source_values: np.ndarray | RaggedValues,
        target_values: np.ndarray,
        *,
        decoder_features: np.ndarray | None = None,
        first_values: str = "zeros",
        allows_nan: bool = False,
        batch_size: int = 64,
        num_buckets: int = 1,
        sample_weight: np.ndarray | None = None,
        shuffle: bool = True,
        random_state: int | np.random.Generator | None = None,
    ) -> None:
        check_choice("first_values", first_values, FIRST_VALUES)
        if not isinstance(source_values, RaggedValues):
            array = _check_values("source_values", source_values, allows_nan=allows_nan)
            source_values = RaggedValues.of_array(array)
        target_values = _check_values(
            "target_values", target_values, allows_nan=allows_nan
        )
        check_sides(len(source_values), len(target_values), "targets")
        weights = check_sample_weight(sample_weight, len(source_values))
        weights = np.repeat(weights[:, None], target_values.shape[1], axis=1)
        first = None
        if first_values == "last":
            first = last_frames(source_values, target_values.shape[2])
        inputs = {
            "decoder_input_values": shift_values(without_gaps(target_values), first)
        }
        if decoder_features is not None:
            features = _check_values("decoder_features", decoder_features)
            if features.shape[:2] != target_values.shape[:2]:
                raise ValueError(
                    "decoder_features must have a frame for each of the targets', "
                    f"{target_values.shape[:2]}; got {features.shape[:2]}."
                )
            inputs["decoder_features"] = features
        check_batch_size(batch_size)
        lengths = [source_values.lengths]
        buckets = []
        for rows in group_by_length(lengths, num_buckets, batch_size=batch_size):
            own = {name: array[rows] for name, array in inputs.items()}
            padded = source_values.padded(rows)
            bucket = Bucket(
                {"source_values": padded, **own}, target_values[rows], weights[rows]
            )
            buckets.append(bucket)
        super().__init__(
            buckets,
            [batch_size] * len(buckets),
            shuffle=shuffle,
            random_state=random_state,
        )


def _check_labels(labels: Sequence[int] | np.ndarray) -> np.ndarray:
    """Return labels as int32, or raise unless they are class numbers."""
    check_unmasked("labels", labels)
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


def _check_values(
    name: str, values: np.ndarray, *, allows_nan: bool = False
) -> np.ndarray:
    """Return values as float32, or raise unless they are a sequence of frames each."""
    check_unmasked(name, values)
    try:
        array = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            f"{name} must be an array of numbers; got {type(values).__name__}."
        ) from None
    if array.ndim != 3 or 0 in array.shape[1:]:
        raise ValueError(
            f"{name} must be of shape (n, len, features); got {array.shape}. A series "
            "of single values needs a last axis of 1."
        )
    check_numbers(name, array, allows_nan=allows_nan)
    return array
