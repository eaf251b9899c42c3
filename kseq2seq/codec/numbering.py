"""Tokens to numbers from 0 on, while no vocabulary has ids for them yet."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import Token, Vocabulary


class Numbered(NamedTuple):
    """Sequences with a number for each token, and the token of each number.

    A vocabulary looks up each distinct token once, and not once for each of its
    occurrences.
    """

    sequences: RaggedIds
    tokens: list[Token]

    def counts(self) -> dict[Token, int]:
        """Return how often each token occurs."""
        counts = np.bincount(self.sequences.ids, minlength=len(self.tokens)).tolist()
        return dict(zip(self.tokens, counts, strict=True))

    def unknown_counts(self, vocabulary: Vocabulary) -> dict[Token, int]:
        """Return how often each token occurs that is not in a vocabulary."""
        counts = self.counts().items()
        return {token: count for token, count in counts if token not in vocabulary}

    def share(self, counts: Mapping[Token, int], name: str) -> str:
        """Return what part of the tokens of a side these are, and the first of them."""
        share = sum(counts.values()) / len(self.sequences.ids)
        first = ", ".join(repr(token) for token in list(counts)[:3])
        return f"{share:.1%} of the tokens of {name}, such as {first},"

    def row_of(self, position: int) -> int:
        """Return in which sequence the token at a position of all tokens is."""
        return int(np.searchsorted(self.sequences.starts, position, side="right")) - 1


def number_tokens(token_lists: Iterable[Sequence[Token]]) -> Numbered:
    """Return tokens with numbers in the order in which they first occur."""
    numbers: dict[Token, int] = {}
    flat, lengths = array("i"), array("q")
    for tokens in token_lists:
        flat.extend([numbers.setdefault(token, len(numbers)) for token in tokens])
        lengths.append(len(tokens))
    ragged = RaggedIds(np.array(flat, np.int32), np.array(lengths, np.int64))
    return Numbered(ragged, list(numbers))


def is_integer_array(values: Any) -> bool:
    """Whether these are rows of integers of one type, which need no check of each."""
    return (
        isinstance(values, np.ndarray)
        and values.ndim == 2
        and values.size > 0
        and values.dtype.kind in "iu"
    )


def number_rows(values: np.ndarray) -> Numbered:
    """Return rows of integers with numbers in the order of their size."""
    tokens, numbers = np.unique(values, return_inverse=True)
    lengths = np.full(len(values), values.shape[1])
    ragged = RaggedIds(numbers.ravel().astype(np.int32), lengths)
    return Numbered(ragged, tokens.tolist())
