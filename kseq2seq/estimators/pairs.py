"""Pairs of sequences as ids, split and batched."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kseq2seq.batching import Batches
from kseq2seq.training.objectives import check_lengths
from kseq2seq.estimators.streams import PairStream
from kseq2seq.ragged import RaggedIds
from kseq2seq.codec import SequenceCodec

Pairs = tuple[RaggedIds, RaggedIds]


def no_pairs() -> Pairs:
    """Return two sides without a sequence."""
    return RaggedIds.of([]), RaggedIds.of([])


def encode_pairs(
    source: SequenceCodec, target: SequenceCodec, validation_data: tuple[Any, Any]
) -> Pairs:
    """Return validation data as ids, unknown tokens as UNK."""
    X, y = validation_data
    try:
        sources, targets = source.encode(X), target.encode(y)
        check_lengths(len(sources), len(targets))
    except (ValueError, TypeError) as error:
        raise type(error)(f"validation_data: {error}") from None
    return sources, targets


def encoded_stream(
    stream: PairStream,
    source: SequenceCodec,
    target: SequenceCodec,
    max_length: int | None,
) -> Iterator[Pairs]:
    """Yield the stream's batches as ids; say which batch holds what is wrong."""
    for number, (X, y) in enumerate(stream, 1):
        try:
            sources, targets = source.encode_known(X), target.encode_known(y)
            _check_answers(targets, max_length)
            yield sources, targets
        except (ValueError, TypeError) as error:
            raise type(error)(f"batch {number} of the stream: {error}") from None


def _check_answers(targets: RaggedIds, max_length: int | None) -> None:
    """Raise for an answer that is longer than the model will ever give."""
    longest = int(targets.lengths.max())
    if max_length is not None and longest > max_length:
        raise ValueError(
            f"an answer has {longest} tokens, and max_length is {max_length}. Pass a "
            "larger max_length, or leave such answers out."
        )


def batch_validation(pairs: Pairs, batch_size: int, num_buckets: int) -> Batches | None:
    """Return the batches to validate on, None where there are no pairs."""
    if not len(pairs[0]):
        return None
    return Batches(
        *pairs, batch_size=batch_size, num_buckets=num_buckets, shuffle=False
    )
