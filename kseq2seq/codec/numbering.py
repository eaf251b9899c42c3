"""Tokens to numbers from 0 on, while no vocabulary has ids for them yet."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from typing import Any

import numpy as np

from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import Token


def number_tokens(token_lists: Iterable[list[Token]]) -> tuple[RaggedIds, list[Token]]:
    """Return the sequences with a number for each token, and the token of each number.

    The tokens are numbered in the order in which they first occur. A vocabulary then
    looks up each distinct token once, and not once for each of its occurrences.
    """
    numbers: dict[Token, int] = {}
    flat, lengths = array("i"), array("q")
    for tokens in token_lists:
        flat.extend([numbers.setdefault(token, len(numbers)) for token in tokens])
        lengths.append(len(tokens))
    ragged = RaggedIds(np.array(flat, np.int32), np.array(lengths, np.int64))
    return ragged, list(numbers)


def is_integer_array(values: Any) -> bool:
    """Whether these are rows of integers of one type, which need no check of each."""
    return (
        isinstance(values, np.ndarray)
        and values.ndim == 2
        and values.size > 0
        and values.dtype.kind in "iu"
    )


def number_rows(values: np.ndarray) -> tuple[RaggedIds, list[Token]]:
    """Return what :func:`number_tokens` does; tokens are numbered in sorted order."""
    tokens, numbers = np.unique(values, return_inverse=True)
    lengths = np.full(len(values), values.shape[1])
    return RaggedIds(numbers.ravel().astype(np.int32), lengths), tokens.tolist()
