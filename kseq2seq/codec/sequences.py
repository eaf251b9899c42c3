"""The sequences that users bring: texts, token lists, rows of integers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from kseq2seq.arguments import has_order, shown
from kseq2seq.vocabulary import Token, Vocabulary

KINDS = {
    "text": "strings",
    "tokens": "token lists",
    "integers": "rows of integers",
}
"""The kinds of sequences, and what messages call them."""


def as_sequences(name: str, values: Any) -> tuple[list[Any], str]:
    """Return the sequences as a list, and their kind.

    Parameters
    ----------
    name : str
        What to call the values in an error.
    values : iterable of str, iterable of token lists, or integers ``(n, len)``
        Bytes are UTF-8; an eager tensor stands for what it holds.

    Returns
    -------
    sequences : list
        Strings, or lists of tokens.
    kind : {"text", "tokens", "integers"}
        ``"integers"`` when every sequence is of integers and all have one length.

    Raises
    ------
    ValueError, TypeError
        When there are none, or one is None, NaN, not UTF-8 or of another kind than the
        first; the message names its position.
    """
    if isinstance(values, np.ndarray) and values.ndim == 0:
        values = values.item()
    if not has_order(values):
        raise TypeError(
            f"{name} must hold strings, token lists or rows of integers; got "
            f"{shown(values)}. For a single one pass a list: [{name}]."
        )
    if hasattr(values, "columns"):
        raise TypeError(
            f"{name} must hold strings, token lists or rows of integers; got "
            f"{shown(values)}, a table. Pass one of its columns: {name}[column]."
        )
    sequences = [_as_sequence(name, i, value) for i, value in enumerate(values)]
    if not sequences:
        raise ValueError(f"{name} is empty; expected at least one sequence.")
    kinds = [_kind(sequence) for sequence in sequences]
    named = [kind for kind in kinds if kind != "empty"]
    kind = named[0] if named else "tokens"
    for i, other in enumerate(kinds):
        if other not in (kind, "empty") or (other == "empty" and kind == "text"):
            raise TypeError(
                f"{name} must hold one kind of sequence; {name}[{kinds.index(kind)}] "
                f"is {shown(sequences[kinds.index(kind)])} and {name}[{i}] is "
                f"{shown(sequences[i])}."
            )
    if kind == "integers" and len({len(sequence) for sequence in sequences}) > 1:
        kind = "tokens"  # rows of different lengths make no array
    return sequences, kind


def _as_sequence(name: str, i: int, value: Any) -> str | list[Token]:
    """Return a string, or a list of tokens that are all str or all int."""
    if isinstance(value, str):
        return str(value)
    value = without_tensor(value)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    try:
        return _as_text_or_tokens(name, i, value)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"bytes must be UTF-8; {name}[{i}] is {shown(value)}, with byte "
            f"0x{error.object[error.start]:02x} at position {error.start}. Decode it."
        ) from None


def _as_text_or_tokens(name: str, i: int, value: Any) -> str | list[Token]:
    if isinstance(value, str | bytes):
        return str(_as_token(value))
    if not isinstance(value, list | tuple | np.ndarray):
        raise TypeError(
            f"{name} must hold strings, token lists or rows of integers; {name}[{i}] "
            f"is {shown(value)}."
        )
    tokens = [_as_token(token) for token in value]
    types = {type(token) for token in tokens}
    if types <= {str} or types <= {int}:
        return tokens
    expected = type(tokens[0]) if type(tokens[0]) in (str, int) else None
    wrong = next(token for token in tokens if type(token) is not expected)
    hint = ""
    if isinstance(wrong, float | np.floating) and math.isfinite(wrong):
        hint = " Real values are for build_seq2seq(source_features=...)."
    raise TypeError(
        f"tokens must be all strings or all integers; {name}[{i}] holds "
        f"{shown(wrong)}.{hint}"
    )


def _as_token(token: Any) -> Any:
    if isinstance(token, str):
        return str(token)
    if isinstance(token, Integral) and not isinstance(token, bool | np.bool_):
        return int(token)
    return token.decode() if isinstance(token, bytes) else token


def without_tensor(value: Any) -> Any:
    """Return an eager tensor as NumPy has it, and all else as it is."""
    return value.numpy() if callable(getattr(value, "numpy", None)) else value


def _kind(sequence: str | list[Token]) -> str:
    if isinstance(sequence, str):
        return "text"
    if not sequence:
        return "empty"
    return "integers" if isinstance(sequence[0], int) else "tokens"


def as_vocabulary(name: str, tokens: Any) -> Vocabulary:
    """Return the vocabulary of tokens given up front, in the order of their ids.

    Raises
    ------
    ValueError, TypeError
        When they are not strings, or integers, all of them distinct.
    """
    if isinstance(tokens, Vocabulary):
        return tokens
    ordered = isinstance(tokens, Sequence | np.ndarray)
    listed = [_as_token(token) for token in tokens] if ordered else []
    types = {type(token) for token in listed}
    if types not in ({str}, {int}):
        raise TypeError(
            f"the vocabulary of {name} must be a list of strings, or of integers, or a "
            f"string of characters; got {shown(tokens)}."
        )
    return Vocabulary(listed)
