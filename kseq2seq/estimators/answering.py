"""How a fitted estimator searches for its answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import keras
import numpy as np

from kseq2seq.arguments import shown
from kseq2seq.decoding import (
    BATCH_SIZE,
    SOURCES_WORTH_COMPILING,
    generate,
    sampling_layers,
)
from kseq2seq.sequences import SequenceCodec

SOURCES_A_BLOCK = 32 * BATCH_SIZE
"""So many sources of a stream are answered, sorted by length, at once."""

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


def token_ids(name: str, codec: SequenceCodec, tokens: Sequence[Any]) -> list[int]:
    """Return the ids of tokens that a parameter names, or raise."""
    try:
        return codec.vocabulary.encode(list(tokens), unknown="error")
    except (ValueError, TypeError) as error:
        raise ValueError(f"{name}: {error}") from None


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
    X: Iterator[Any], answer: Callable[[list[Any], bool], Sequence[Any]]
) -> Iterator[Any]:
    """Yield the answers to sources that come as they are used, block by block."""
    num_sources = 0
    while block := list(islice(X, SOURCES_A_BLOCK)):
        num_sources += len(block)
        yield from answer(block, num_sources >= SOURCES_WORTH_COMPILING)


def answer_ids(
    generator: keras.Model,
    sources: Sequence[Sequence[int]],
    *,
    compiles: bool | None = None,
    repeats: bool = False,
    verbose: Any = 0,
) -> dict[str, np.ndarray]:
    """Return what a generator answers; a seeded one from its seed on, if it repeats."""
    if repeats:
        for layer in sampling_layers(generator):
            layer.reset()
    shows = verbose in (1, "auto")
    return generate(generator, sources, compiles=compiles, verbose=shows)
