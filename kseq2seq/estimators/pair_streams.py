"""Pairs that come as they are used: from an iterator or a data set."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from itertools import count, islice
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import is_pair, shown
from kseq2seq.batching.stream import check_steps
from kseq2seq.codec import SequenceCodec, without_tensor
from kseq2seq.datasets.pairs import Pairs
from kseq2seq.estimators.codecs import (
    Encoded,
    check_given_features,
    check_given_vocabularies,
)
from kseq2seq.estimators.examples import Examples, FitData, StreamedExamples, Task
from kseq2seq.estimators.reading import encode_validation
from kseq2seq.estimators.settings import Seq2SeqSettings
from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import UNK

_SIDES = (list, tuple, np.ndarray)


def is_stream(X: Any) -> bool:
    """Return whether X is drawn from while `fit` trains."""
    return isinstance(X, Iterator | keras.utils.PyDataset) or _is_of_tensorflow(X)


def _is_of_tensorflow(X: Any) -> bool:
    """Return whether X is a ``tf.data.Dataset``, told by what it can."""
    return callable(getattr(X, "as_numpy_iterator", None))


def read_stream(
    settings: Seq2SeqSettings,
    data: FitData,
    known: Sequence[Any],
    encode: Callable[[FitData, Sequence[Any]], Sequence[Encoded]],
) -> Task:
    """Return what `fit` was called with, where X is a stream of pairs.

    Parameters
    ----------
    settings : Seq2SeqSettings
    data : FitData
    known : pair of codecs or None
        Those of both sides that are used again.
    encode : callable
        From data that is there as a whole, and `known`, to codecs and ids; it gets the
        first batch.
    """
    is_new = known[0] is None
    _check_stream(settings, data, is_new=is_new)
    stream = PairStream(data.X, settings.pairs_a_batch(None), data.steps_per_epoch)
    X, y = stream.first
    if is_new:
        check_given_features(settings, X)
    (source, _), (target, targets) = encode(
        FitData(X, y, continues=data.continues), known
    )
    source.width = None  # only answers make an array
    if target.width is None and settings.max_length is None and is_new:
        raise ValueError(
            "a stream does not tell how long answers may be; pass max_length."
        )
    training = StreamedExamples(
        encoded_stream(stream, source, target, settings.max_length),
        targets,
        batch_size=len(X),
        steps=stream.steps,
    )
    if (given := data.validation_data) is None:
        nothing = RaggedIds.of([])
        return Task(source, target, training, Examples(nothing, nothing, np.ones(0)))
    validation = encode_validation(source, target, given)
    return Task(source, target, training, validation, (given.X, given.y))


def _check_stream(settings: Seq2SeqSettings, data: FitData, *, is_new: bool) -> None:
    """Raise unless X is a stream, and all that it does not tell is given."""
    if not is_stream(data.X):
        raise TypeError(
            "y is missing: pass fit(X, y), or as X a stream, an iterator of pairs "
            "(iter(pairs), or what a generator function returns when called), a "
            "keras.utils.PyDataset or a tf.data.Dataset; got "
            f"{type(data.X).__name__}."
        )
    if data.sample_weight is not None:
        raise TypeError("sample_weight is not for a stream, which has no length.")
    if settings.extend_vocabulary and not is_new:
        raise ValueError(
            "extend_vocabulary is not for a stream, which does not show its tokens "
            "first. Pass extend_vocabulary=False, or pairs."
        )
    if settings.batch_tokens is not None:
        raise ValueError("batch_tokens is not for a stream; pass batch_size.")
    if is_new:
        check_given_vocabularies(settings)


def encoded_stream(
    stream: PairStream,
    source: SequenceCodec,
    target: SequenceCodec,
    max_length: int | None,
) -> Iterator[tuple[RaggedIds, RaggedIds]]:
    """Yield the stream's batches as ids; say which batch holds what is wrong."""
    told: set[str] = set()
    features: set[str] = set()
    for number, (X, y) in enumerate(stream, 1):
        try:
            sources = source.encode_streamed(X, told=features)
            targets = target.encode_streamed(y)
            for name, ids in (("X", sources), ("y", targets)):
                if UNK in ids.ids and name not in told:
                    told.add(name)
                    _tell_of_unknown(name, number)
            source.note_empty(sources)
            _check_answers(targets, max_length)
            yield sources, targets
        except (ValueError, TypeError) as error:
            raise type(error)(f"batch {number} of the stream: {error}") from None


def _tell_of_unknown(name: str, number: int) -> None:
    """Warn of unknown tokens in a batch; of those in the first the codecs do."""
    if number > 1:
        warnings.warn(
            f"batch {number} of the stream has tokens of {name} that are not in the "
            "vocabulary and are learned as unknown. Pass unknown='error' to be told "
            "which.",
            stacklevel=2,
        )


def _check_answers(targets: RaggedIds, max_length: int | None) -> None:
    """Raise for an answer that is longer than the model will ever give."""
    longest = int(targets.lengths.max())
    if max_length is not None and longest > max_length:
        raise ValueError(
            f"an answer has {longest} tokens, and max_length is {max_length}. Pass a "
            "larger max_length, or leave such answers out."
        )


class PairStream:
    """Batches of pairs as the user has them, without end if there is none.

    Parameters
    ----------
    stream : iterator of pairs, PyDataset of batches (X, y), or Dataset of pairs
        A data set starts again after its end.
    batch_size : int
        How many pairs make a batch; a PyDataset has its own.
    steps_per_epoch : int, optional
        Batches an epoch; those of a PyDataset when None.

    Attributes
    ----------
    first : pair of lists
        The first batch, which comes again when the stream is iterated over.
    """

    def __init__(
        self, stream: Any, batch_size: int, steps_per_epoch: int | None
    ) -> None:
        if isinstance(stream, keras.utils.PyDataset):
            self._batches = _batches_of_dataset(stream)
        else:
            pairs = _pairs_of(stream) if _is_of_tensorflow(stream) else stream
            self._batches = _batches_of_iterator(pairs, batch_size)
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


def _pairs_of(dataset: Any) -> Iterator[Any]:
    """Yield what a ``tf.data.Dataset`` has, over and over, unless that is nothing."""
    is_empty = False
    while not is_empty:
        is_empty = True
        for pair in dataset.as_numpy_iterator():
            is_empty = False
            yield pair


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
    if is_pair(batch):
        batch = tuple(map(without_tensor, batch))
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
