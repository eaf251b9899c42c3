"""The sequences that users bring: texts, token lists, rows of integers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np

from kseq2seq.arguments import (
    check_unmasked,
    has_order,
    is_sparse,
    place,
    shown,
    written,
)
from kseq2seq.vocabulary import Token, Vocabulary

_SMALLEST, _LARGEST = -(2**63), 2**63 - 1

KINDS = {
    "text": "strings",
    "tokens": "token lists",
    "integers": "rows of integers",
}
"""The kinds of sequences, and what messages call them."""


def as_sequences(name: str, values: Any, origin: Any = None) -> tuple[list[Any], str]:
    """Return the sequences as a list, and their kind.

    Parameters
    ----------
    name : str
        What to call the values in an error.
    values : iterable of str, iterable of token lists, or integers ``(n, len)``
        Bytes are UTF-8; an eager tensor stands for what it holds.
    origin : object, optional
        What the values are a part of; its rows name places in errors.

    Returns
    -------
    sequences : list
        Strings, or lists of tokens.
    kind : {"text", "tokens", "integers"}
        ``"integers"`` when every sequence is of integers and all have one length.

    Raises
    ------
    ValueError, TypeError
        When there are none, or one is None, NaN, masked, not UTF-8 or of another kind
        than the first; the message names its position.
    """
    check_unmasked(name, values)
    if isinstance(values, np.ndarray) and values.ndim == 0:
        values = values.item()
    if is_sparse(values):
        raise TypeError(
            f"{name} must hold strings, token lists or rows of integers; got a sparse "
            f"{type(values).__name__}. Pass {name}.toarray(), if rows are sequences."
        )
    if not has_order(values):
        raise TypeError(
            f"{name} must hold strings, token lists or rows of integers; got "
            f"{shown(values)}. For a single one pass a list: [{name}]."
        )
    if hasattr(values, "columns"):
        raise TypeError(
            f"{name} must hold strings, token lists or rows of integers; got "
            f"{shown(values)}, a table. Pass one of its columns: {name}[column], or "
            "two, the second of which holds lists of features."
        )
    origin = values if origin is None else origin
    sequences = [_as_sequence(name, i, v, origin) for i, v in enumerate(values)]
    if not sequences:
        raise ValueError(f"{name} is empty; expected at least one sequence.")
    kinds = [_kind(sequence) for sequence in sequences]
    named = [kind for kind in kinds if kind != "empty"]
    kind = named[0] if named else "tokens"
    for i, other in enumerate(kinds):
        if other not in (kind, "empty") or (other == "empty" and kind == "text"):
            first = kinds.index(kind)
            raise TypeError(
                f"{name} must hold one kind of sequence; {place(name, first, origin)} "
                f"is {shown(sequences[first])} and {place(name, i, origin)} is "
                f"{shown(sequences[i])}."
            )
    if kind == "integers" and len({len(sequence) for sequence in sequences}) > 1:
        kind = "tokens"  # rows of different lengths make no array
    return sequences, kind


def _as_sequence(name: str, i: int, value: Any, values: Any) -> str | list[Token]:
    """Return a string, or a list of tokens that are all str or all int."""
    if isinstance(value, str):
        return str(value)
    where = partial(place, name, i, values)
    if isinstance(value, np.ma.MaskedArray):
        check_unmasked(where(), value)
    value = without_tensor(value)
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    try:
        return _as_text_or_tokens(name, value, where)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"bytes must be UTF-8; {where()} is {shown(value)}, with byte "
            f"0x{error.object[error.start]:02x} at position {error.start}. Decode it."
        ) from None


def _as_text_or_tokens(
    name: str, value: Any, where: Callable[[], str]
) -> str | list[Token]:
    if isinstance(value, str | bytes):
        return str(_as_token(value))
    if not isinstance(value, list | tuple | np.ndarray):
        raise TypeError(
            f"{name} must hold strings, token lists or rows of integers; "
            f"{where()} is {shown(value)}."
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
    elif name == "X" and len(tokens) == 2 and isinstance(tokens[0], str):
        hint = (
            " If these are features, pass a tuple of the source and a list of strings, "
            "as ('gehen', ['V', 'PST'])."
        )
    raise TypeError(
        f"tokens must be all strings or all integers; {where()} holds "
        f"{shown(wrong)}.{hint}"
    )


def has_axis(value: Any) -> bool:
    """Whether a value with an order is no array of a single value."""
    return bool(getattr(value, "ndim", 1))


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
        When they are not strings, or integers of 64 bits, all of them distinct.
    """
    if isinstance(tokens, Vocabulary):
        return tokens
    check_unmasked(f"the vocabulary of {name}", tokens)
    ordered = isinstance(tokens, Sequence | np.ndarray)
    listed = [_as_token(token) for token in tokens] if ordered else []
    types = {type(token) for token in listed}
    if types not in ({str}, {int}):
        raise TypeError(
            f"the vocabulary of {name} must be a list of strings, or of integers, or a "
            f"string of characters; got {shown(tokens)}."
        )
    vocabulary = Vocabulary(listed)
    if (wide := too_wide(listed)) is not None:
        raise ValueError(f"the vocabulary of {name} holds {wide_integer(wide)}")
    return vocabulary


def too_wide(tokens: Sequence[Token]) -> Token | None:
    """Return the first token that is an integer of more than 64 bits, if any."""
    integers = (token for token in tokens if isinstance(token, int))
    return next((t for t in integers if not _SMALLEST <= t <= _LARGEST), None)


def wide_integer(token: Token) -> str:
    """Return what an error says of a token that :func:`too_wide` found."""
    return (
        f"{written(token)}: integers must be from -2**63 to 2**63 - 1. Pass larger "
        "ones as strings."
    )
