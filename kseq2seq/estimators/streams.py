"""Pairs that come as they are used: from an iterator or a PyDataset."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import is_pair, shown
from kseq2seq.batching.stream import check_steps

Pairs = tuple[list[Any], list[Any]]

_SIDES = (list, tuple, np.ndarray)


def is_stream(X: Any) -> bool:
    """Return whether X is drawn from as fit goes on."""
    return isinstance(X, Iterator | keras.utils.PyDataset)


class PairStream:
    """Batches of pairs as the user has them, without end if there is none.

    Parameters
    ----------
    stream : iterator of pairs, or keras.utils.PyDataset of batches (X, y)
        A data set starts again from its first batch after its last.
    batch_size : int
        How many pairs of an iterator make a batch; a data set has its own.
    steps_per_epoch : int, optional
        Batches an epoch; those of the data set when None.

    Attributes
    ----------
    first : pair of lists
        The first batch, which comes again when the stream is iterated over.
    """

    def __init__(
        self, stream: Any, batch_size: int, steps_per_epoch: int | None
    ) -> None:
        self._batches = (
            _batches_of_dataset(stream)
            if isinstance(stream, keras.utils.PyDataset)
            else _batches_of_iterator(stream, batch_size)
        )
        self.steps = _steps(stream, steps_per_epoch)
        first = next(self._batches, None)
        if first is None:
            raise ValueError("the stream is empty; expected pairs (source, target).")
        self.first: Pairs = first

    def __iter__(self) -> Iterator[Pairs]:
        yield self.first
        yield from self._batches


def _steps(stream: Any, steps_per_epoch: int | None) -> int:
    if steps_per_epoch is None and isinstance(stream, keras.utils.PyDataset):
        steps_per_epoch = _num_batches(stream)
        if steps_per_epoch is not None and steps_per_epoch < 2:
            raise ValueError(
                f"a data set must have 2 batches or more; got {steps_per_epoch}. Pass "
                "smaller batches, or a larger steps_per_epoch."
            )
    if steps_per_epoch is None:
        raise TypeError(
            "a stream has no length: pass fit how many batches make an epoch, "
            "steps_per_epoch."
        )
    return check_steps(steps_per_epoch)


def _num_batches(dataset: keras.utils.PyDataset) -> int | None:
    """Return how many batches a data set has, None where it does not say."""
    try:
        number = dataset.num_batches
    except NotImplementedError:
        return None
    return None if number is None else int(number)


def _batches_of_iterator(pairs: Iterator[Any], batch_size: int) -> Iterator[Pairs]:
    position = 0
    while batch := list(islice(pairs, batch_size)):
        for i, pair in enumerate(batch, position):
            if not is_pair(pair):
                raise TypeError(
                    "a stream must yield pairs (source, target); pair "
                    f"{i} is {shown(pair)}."
                )
        position += len(batch)
        yield [source for source, _ in batch], [target for _, target in batch]


def _batches_of_dataset(dataset: keras.utils.PyDataset) -> Iterator[Pairs]:
    for epoch in count():
        if epoch:
            dataset.on_epoch_end()
        dataset.on_epoch_begin()
        length = _num_batches(dataset)
        for i in count() if length is None else range(length):
            yield _pairs_of_batch(i, dataset[i])
        if length == 0:
            return


def _pairs_of_batch(i: int, batch: Any) -> Pairs:
    """Return the two sides of a batch as lists."""
    if not is_pair(batch) or not all(
        isinstance(side, _SIDES) and len(side) for side in batch
    ):
        raise TypeError(
            "a PyDataset must give batches (X, y) of sources and targets, each a list "
            f"or an array; batch {i} is {shown(batch)}."
        )
    X, y = map(list, batch)
    if len(X) != len(y):
        raise ValueError(
            f"batch {i} of the data set has {len(X)} sources and {len(y)} targets; "
            "expected one target for each source."
        )
    return X, y
