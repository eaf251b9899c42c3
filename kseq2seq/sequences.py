"""Sequences as users have them (texts, token lists, integer arrays) to ids and back."""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from kseq2seq.arguments import check_choice, shown
from kseq2seq.tokenizers import (
    get_tokenizer,
    tokenizer_from_json,
    tokenizer_to_json,
)
from kseq2seq.vocabulary import UNK, Token, Vocabulary

KINDS = {
    "text": "strings",
    "tokens": "token lists",
    "integers": "rows of integers",
}
"""What sequences may be, and what to call them."""


def as_sequences(name: str, values: Any) -> tuple[list[Any], str]:
    """Return the sequences as a list, and their kind.

    Parameters
    ----------
    name : str
        What to call the values in an error.
    values : iterable of str, iterable of token lists, or integers ``(n, len)``

    Returns
    -------
    sequences : list
        Strings, or lists of tokens.
    kind : {"text", "tokens", "integers"}
        ``"integers"`` when every sequence is of integers and all are as long.

    Raises
    ------
    ValueError, TypeError
        When there are none, or one is None, NaN or of another kind than the first; the
        message names its position.
    """
    if isinstance(values, np.ndarray) and values.ndim == 0:
        values = values.item()
    unordered = isinstance(values, str | bytes | Set | Mapping)
    if unordered or not isinstance(values, Iterable):
        raise TypeError(
            f"{name} must hold strings, token lists or rows of integers; got "
            f"{shown(values)}. For a single one pass a list: [{name}]."
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
    if isinstance(token, numbers.Integral) and not isinstance(token, bool | np.bool_):
        return int(token)
    return token


def _kind(sequence: str | list[Token]) -> str:
    if isinstance(sequence, str):
        return "text"
    if not sequence:
        return "empty"
    return "integers" if isinstance(sequence[0], int) else "tokens"


class SequenceCodec:
    """The sequences of one side, source or target: their kind, tokens and ids.

    Parameters
    ----------
    name : str
        What to call the sequences in errors, ``"X"`` or ``"y"``.
    kind : {"text", "tokens", "integers"}
    tokenizer : str, pair of functions, or Tokenizer
        Splits texts; not used for the other kinds.
    vocabulary : Vocabulary
    unknown : {"unk", "error"}, default "unk"
    width : int, optional
        How many integers a row has, where decoded rows make an array.
    reverse : bool, default False
        Whether ids stand in reversed order.
    """

    def __init__(
        self,
        name: str,
        kind: str,
        tokenizer: Any,
        vocabulary: Vocabulary,
        *,
        unknown: str = "unk",
        width: int | None = None,
        reverse: bool = False,
    ) -> None:
        check_choice("kind", kind, KINDS)
        check_choice("unknown", unknown, ("unk", "error"))
        self.name = name
        self.kind = kind
        self.tokenizer = tokenizer
        self.vocabulary = vocabulary
        self.unknown = unknown
        self.width = width
        self.reverse = reverse

    @classmethod
    def learn(
        cls,
        name: str,
        values: Any,
        *,
        tokenizer: Any,
        unknown: str = "unk",
        min_frequency: int = 1,
        max_size: int | None = None,
        vocabulary: Sequence[Token] | Vocabulary | None = None,
        reverse: bool = False,
    ) -> tuple[SequenceCodec, list[list[int]]]:
        """Return a codec for the values, and the ids that it gives them.

        With a vocabulary given, every token must be in it.
        """
        sequences, kind = as_sequences(name, values)
        token_lists = _tokenize(sequences, kind, tokenizer)
        given = vocabulary
        if given is None:
            vocabulary = Vocabulary.from_sequences(
                token_lists, min_frequency=min_frequency, max_size=max_size
            )
        else:
            vocabulary = as_vocabulary(name, given)
        codec = cls(
            name,
            kind,
            tokenizer,
            vocabulary,
            unknown=unknown,
            width=len(token_lists[0]) if kind == "integers" else None,
            reverse=reverse,
        )
        unknown = "unk" if given is None else "error"
        return codec, codec._ids(token_lists, unknown)

    def sequences(self, values: Any) -> list[Any]:
        """Return the sequences as strings or token lists.

        Raises
        ------
        TypeError
            When the values are of another kind than those that were learned.
        """
        sequences, kind = as_sequences(self.name, values)
        if (kind == "text") != (self.kind == "text"):
            raise TypeError(
                f"{self.name} held {KINDS[self.kind]} when the model was fitted; got "
                f"{KINDS[kind]}: {shown(sequences[0])}."
            )
        learned = {type(token) for token in self.vocabulary.tokens[:1]}
        for i, sequence in enumerate(sequences):
            if learned and sequence and type(sequence[0]) not in learned:
                raise TypeError(
                    f"{self.name} held tokens of type {learned.pop().__name__} when "
                    f"the model was fitted; {self.name}[{i}] is {shown(sequence)}."
                )
        return sequences

    def tokens(self, values: Any) -> list[list[Token]]:
        """Return the tokens of each sequence, which must be as for `sequences`."""
        return _tokenize(self.sequences(values), self.kind, self.tokenizer)

    def encode(self, values: Any) -> list[list[int]]:
        """Return the ids of each sequence; unknown tokens become UNK, or an error."""
        return self._ids(self.tokens(values), self.unknown)

    def encode_known(self, values: Any) -> list[list[int]]:
        """Return the ids of sequences of the learned width, every token known."""
        token_lists = self.tokens(values)
        for i, tokens in enumerate(token_lists):
            if self.width not in (None, len(tokens)):
                raise ValueError(
                    f"the rows of {self.name} were {self.width} wide at first; "
                    f"{self.name}[{i}] has {len(tokens)} integers."
                )
        return self._ids(token_lists, "error")

    def _ids(self, token_lists: list[list[Token]], unknown: str) -> list[list[int]]:
        encoded = []
        for i, tokens in enumerate(token_lists):
            try:
                ids = self.vocabulary.encode(tokens, unknown=unknown)
            except ValueError as error:
                raise ValueError(f"{self.name}[{i}]: {error}") from None
            encoded.append(ids[::-1] if self.reverse else ids)
        return encoded

    def decode(self, ids: Iterable[Iterable[int]]) -> Any:
        """Return answers in the kind that was learned: a list, or an array."""
        token_lists = [self.vocabulary.decode(row) for row in ids]
        if self.kind == "tokens":
            return token_lists
        if self.kind == "integers":
            return np.array(token_lists, dtype=np.int64).reshape(-1, self.width or 0)
        decode = get_tokenizer(self.tokenizer).decode
        return [_join(decode, [str(t) for t in tokens]) for tokens in token_lists]

    @property
    def has_integer_tokens(self) -> bool:
        """Whether tokens are numbers, among which UNK has no place."""
        return any(isinstance(token, int) for token in self.vocabulary.tokens[:1])

    def to_json(self) -> dict[str, Any]:
        """Return the codec as JSON values; without code, so without functions."""
        is_text = self.kind == "text"
        return {
            "kind": self.kind,
            "tokenizer": tokenizer_to_json(self.tokenizer) if is_text else None,
            "tokens": self.vocabulary.tokens,
            "unknown": self.unknown,
            "width": self.width,
            "reverse": self.reverse,
        }

    @classmethod
    def from_json(cls, name: str, value: dict[str, Any]) -> SequenceCodec:
        """Return the codec that :meth:`to_json` described."""
        tokenizer = value["tokenizer"]
        return cls(
            name,
            value["kind"],
            None if tokenizer is None else tokenizer_from_json(tokenizer),
            Vocabulary(value["tokens"]),
            unknown=value["unknown"],
            width=value["width"],
            reverse=value["reverse"],
        )


def as_vocabulary(name: str, tokens: Any) -> Vocabulary:
    """Return the vocabulary of tokens given up front, in the order of their ids.

    Raises
    ------
    ValueError, TypeError
        When they are no distinct strings or integers.
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


def _tokenize(sequences: Sequence[Any], kind: str, tokenizer: Any) -> list[list[Token]]:
    if kind != "text":
        return list(sequences)
    encode = get_tokenizer(tokenizer).encode
    return [_split(encode, text) for text in sequences]


def _split(encode: Callable[[str], list[str]], text: str) -> list[Token]:
    """Return a text's tokens; say so when a tokenizer of the user's own fails."""
    try:
        tokens = encode(text)
    except Exception as error:
        raise ValueError(f"the tokenizer failed on {shown(text)}: {error!r}") from error
    wrong = [token for token in tokens if not isinstance(token, str)]
    if wrong:
        raise TypeError(
            f"a tokenizer must return strings; for {shown(text)} it returned "
            f"{shown(wrong[0])}."
        )
    return [*tokens]


def _join(decode: Callable[[list[str]], str], tokens: list[str]) -> str:
    try:
        return str(decode(tokens))
    except Exception as error:
        raise ValueError(
            f"the tokenizer failed to join {shown(tokens)}: {error!r}"
        ) from error


def has_unknown(ids: Iterable[Iterable[int]]) -> bool:
    """Return whether UNK stands anywhere among the ids."""
    return any(UNK in row for row in ids)
