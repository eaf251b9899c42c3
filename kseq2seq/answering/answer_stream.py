"""Sources that come one after the other, answered in blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice, zip_longest
from typing import Any

from kseq2seq.answering.source_batches import BATCH_SIZE, SOURCES_WORTH_COMPILING

SOURCES_A_BLOCK = 32 * BATCH_SIZE
"""This many sources of a stream are answered at once, sorted by length."""


def side_by_side(X: Iterator[Any], prefixes: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each source of a stream with its prefix, or raise where one ends early."""
    missing = object()
    for i, pair in enumerate(zip_longest(X, prefixes, fillvalue=missing)):
        if missing in pair:
            ended, other = ("X", "prefixes")[:: 1 if pair[0] is missing else -1]
            raise ValueError(
                "X and prefixes must be as long, one prefix for each source; "
                f"{ended} ended after {i}, and {other} goes on."
            )
        yield pair


def answer_stream(
    X: Iterator[Any], answer: Callable[..., Sequence[Any]]
) -> Iterator[Any]:
    """Yield the answers to sources that come as they are used, block by block.

    What was read before a source failed is answered first. The first blocks are small,
    so that the first answers come soon.
    """
    num_sources, size, failure = 0, BATCH_SIZE, None
    while failure is None:
        block: list[Any] = []
        try:
            block.extend(islice(X, size))
        except Exception as error:
            failure = error
        if not block:
            break
        start = num_sources
        num_sources += len(block)
        compiles = num_sources >= SOURCES_WORTH_COMPILING
        try:
            answers = answer(block, compiles=compiles, continues=start > 0)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"in the stream from source {start} on: {error}"
            ) from None
        yield from answers
        size = min(2 * size, SOURCES_A_BLOCK)
    if failure is not None:
        raise failure
