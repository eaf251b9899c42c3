"""Pairs that come as they are used: from an iterator or a PyDataset."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice
from typing import Any

import keras

from kseq2seq.arguments import check_whole
from kseq2seq.estimators.checks import check_lengths

Pairs = tuple[list[Any], list[Any]]


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
        steps_per_epoch = stream.num_batches
    if steps_per_epoch is None:
        raise TypeError(
            "a stream has no length: pass fit how many batches make an epoch, "
            "steps_per_epoch."
        )
    return check_whole("steps_per_epoch", steps_per_epoch, minimum=2)


def _batches_of_iterator(pairs: Iterator[Any], batch_size: int) -> Iterator[Pairs]:
    position = 0
    while batch := list(islice(pairs, batch_size)):
        for i, pair in enumerate(batch, position):
            if not isinstance(pair, tuple | list) or len(pair) != 2:
                raise TypeError(
                    "a stream must yield pairs (source, target); pair "
                    f"{i} is {_shown(pair)}."
                )
        position += len(batch)
        yield [source for source, _ in batch], [target for _, target in batch]


def _batches_of_dataset(dataset: keras.utils.PyDataset) -> Iterator[Pairs]:
    for epoch in count():
        if epoch:
            dataset.on_epoch_end()
        dataset.on_epoch_begin()
        for i in range(dataset.num_batches) if dataset.num_batches else count():
            batch = dataset[i]
            if not isinstance(batch, tuple | list) or len(batch) != 2:
                raise TypeError(
                    "a PyDataset must give batches (X, y) of sources and targets; "
                    f"batch {i} is {_shown(batch)}."
                )
            X, y = map(list, batch)
            check_lengths(len(X), len(y))
            yield X, y


def _shown(value: Any) -> str:
    text = repr(value)
    return f"{text[:60]} ({type(value).__name__})"
