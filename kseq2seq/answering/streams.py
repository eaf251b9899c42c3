"""How a fitted estimator searches for its answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import islice
from numbers import Integral
from typing import Any, NamedTuple

import keras
import numpy as np

from kseq2seq.arguments import shown
from kseq2seq.answering.source_batches import (
    BATCH_SIZE,
    SOURCES_WORTH_COMPILING,
    generate,
    sampling_layers,
)
from kseq2seq.codec import SequenceCodec

SOURCES_A_BLOCK = 32 * BATCH_SIZE
"""So many sources of a stream are answered, sorted by length, at once."""

_DRAWING = threading.Lock()
"""Held while answers are drawn, so that threads do not share a seed's numbers."""

MOST_GENERATORS = 4
"""Of so many settings of the search the generators are kept."""


class Hypothesis(NamedTuple):
    """One of several answers to a source.

    Attributes
    ----------
    answer : str, token list or row of integers
        In the kind that y had.
    score : float
        The sum of the log-probabilities of its tokens and of its end; with a length or
        coverage penalty, what ranks it.
    """

    answer: Any
    score: float


def token_ids(name: str, codec: SequenceCodec, tokens: Any) -> list[int]:
    """Return the ids of tokens that a parameter names, or raise."""
    listed: list[Any] = (
        list(tokens) if isinstance(tokens, Sequence | np.ndarray) else [None]
    )
    for token in listed:
        if not isinstance(token, str | Integral):
            raise TypeError(
                f"{name} must be a list of tokens of the answers; got {shown(tokens)}."
            )
        if token not in codec.vocabulary:
            raise ValueError(
                f"{name} holds {token!r}, which is none of the "
                f"{len(codec.vocabulary.tokens)} tokens of the answers. Leave it out."
            )
    return codec.vocabulary.encode(listed)


def prefix_ids(codec: SequenceCodec, prefix: Any) -> list[int]:
    """Return the ids of the beginning that every answer is to have."""
    if prefix is None:
        return []
    try:
        tokens = codec.tokens([prefix])[0]
    except (ValueError, TypeError):
        raise TypeError(
            "forced_prefix must be the beginning of an answer, of the kind that y had; "
            f"got {shown(prefix)}."
        ) from None
    return token_ids("forced_prefix", codec, tokens)


class Generators:
    """The generators of one fitted estimator, one for each setting of the search."""

    def __init__(self, build: Callable[..., keras.Model]) -> None:
        self._build = build
        self._built: dict[str, keras.Model] = {}

    def __call__(self, options: dict[str, Any]) -> keras.Model:
        """Return the generator of these options; it is built only once."""
        key = repr(options)
        if key not in self._built:
            generator = self._build(**options)
            while len(self._built) >= MOST_GENERATORS:
                del self._built[next(iter(self._built))]
            self._built[key] = generator
        return self._built[key]


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
            answers = answer(block, compiles=compiles, goes_on=start > 0)
        except (TypeError, ValueError) as error:
            raise type(error)(
                f"in the stream from source {start} on: {error}"
            ) from None
        yield from answers
        size = min(2 * size, SOURCES_A_BLOCK)
    if failure is not None:
        raise failure


def answer_ids(
    generator: keras.Model,
    sources: Sequence[Sequence[int]],
    *,
    compiles: bool | None = None,
    repeats: bool = False,
    verbose: Any = 0,
) -> dict[str, np.ndarray]:
    """Return what a generator answers; a seeded one from its seed on, if it repeats."""
    shows = verbose in (1, "auto")
    answer = partial(generate, generator, sources, compiles=compiles, verbose=shows)
    layers = sampling_layers(generator)
    if not layers:
        return answer()
    with _DRAWING:
        for layer in layers if repeats else ():
            layer.reset()
        return answer()
