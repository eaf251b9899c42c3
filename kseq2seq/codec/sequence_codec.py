"""The codec of one side: sequences to ids, and ids to answers of the same kind."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from kseq2seq.arguments import check_choice, check_unmasked, place, shown
from kseq2seq.codec.numbering import is_integer_array, number_rows, number_tokens
from kseq2seq.codec.sequences import (
    KINDS,
    as_sequences,
    as_vocabulary,
    too_wide,
    wide_integer,
)
from kseq2seq.codec.texts import check_unicode, join, prepared, tokenize
from kseq2seq.ragged import RaggedIds
from kseq2seq.tokenizer_files import tokenizer_from_json, tokenizer_to_json
from kseq2seq.tokenizers import (
    UNICODE_NORMALIZATIONS,
    get_tokenizer,
    is_trained,
    train_tokenizer,
)
from kseq2seq.vocabulary import FIRST_TOKEN, UNK, Token, Vocabulary

_TOKEN_TYPES = {"text": {str}, "tokens": {str, int}, "integers": {int}}
_WIDEST = 100_000
"""Integers in a row of a model file at most."""


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
    lowercase, unicode_normalization
        How texts are prepared; see :func:`kseq2seq.tokenizers.prepare_text`.
    saw_empty : bool, default True
        Whether a sequence of training was empty; kept up to date by :meth:`note_empty`.
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
        lowercase: bool = False,
        unicode_normalization: str | None = None,
        saw_empty: bool = True,
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
        self.saw_empty = saw_empty
        self.preparation: dict[str, Any] = {
            "lowercase": lowercase,
            "unicode_normalization": unicode_normalization,
        }

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
        **preparation: Any,
    ) -> tuple[SequenceCodec, RaggedIds]:
        """Return a codec for the values, and the ids that it gives them.

        Tokens outside a vocabulary that is given are UNK, with a warning, or raise, as
        `unknown` says. A tokenizer that is named with a size is trained on the values.

        Raises
        ------
        ValueError, TypeError
            When the values are not sequences of one kind, or not one of their tokens is
            in the vocabulary that is given.
        """
        check_unmasked(name, values)
        if is_integer_array(values):
            kind, (numbers, tokens) = "integers", number_rows(values)
        else:
            sequences, kind = as_sequences(name, values)
            if kind == "text":
                sequences = prepared(sequences, preparation)
                if is_trained(tokenizer):
                    check_unicode(name, sequences)
                tokenizer = train_tokenizer(tokenizer, sequences)
            numbers, tokens = number_tokens(tokenize(sequences, kind, tokenizer))
        _check_64_bits(name, values, numbers, tokens)
        given = vocabulary
        if given is None:
            counts = np.bincount(numbers.ids, minlength=len(tokens)).tolist()
            vocabulary = Vocabulary.from_counts(
                dict(zip(tokens, counts, strict=True)),
                min_frequency=min_frequency,
                max_size=max_size,
            )
            if tokens and not vocabulary.tokens:
                raise ValueError(
                    f"min_frequency={min_frequency} leaves no token of {name}, whose "
                    f"most frequent one comes {max(counts)} times. Pass a lower one."
                )
        else:
            vocabulary = as_vocabulary(name, given)
        codec = cls(
            name,
            kind,
            tokenizer,
            vocabulary,
            unknown=unknown,
            width=int(numbers.lengths[0]) if kind == "integers" else None,
            reverse=reverse,
            saw_empty=False,
            **preparation,
        )
        takes = "unk" if given is None else codec._taken_in(numbers, tokens)
        return codec, codec.note_empty(codec._ids(values, numbers, tokens, takes))

    def take_up(
        self,
        values: Any,
        *,
        extends: bool = False,
        min_frequency: int = 1,
        max_size: int | None = None,
        warns: bool = False,
    ) -> tuple[SequenceCodec, RaggedIds]:
        """Return a copy of this codec to train on with more values, and their ids.

        Parameters
        ----------
        values : sequences
        extends : bool, default False
            Whether tokens that are new get ids, after all others; else they are UNK.
        min_frequency, max_size
            Of the new tokens, and of the vocabulary that grows.
        warns : bool, default False
            Whether a warning says which tokens are new and become UNK.

        Raises
        ------
        ValueError
            When y holds rows of integers, and one is new or a row is not as wide.
        """
        numbers, tokens = self._numbered(values)
        _check_64_bits(self.name, values, numbers, tokens)
        all_known = self.name == "y" and self.has_integer_tokens
        if all_known:
            self._check_width(numbers)
        codec = copy.copy(self)  # or a fit that fails would have changed it
        counts = self._unknown_counts(numbers, tokens)
        if counts and extends:
            more = Vocabulary.from_counts(counts, min_frequency=min_frequency).tokens
            everything = [*self.vocabulary.tokens, *more]
            largest = max(max_size or len(everything), len(self.vocabulary.tokens))
            codec.vocabulary = Vocabulary(everything[:largest])
        elif counts and warns and not all_known:
            warnings.warn(
                f"{self._share(counts, numbers)} are unknown to the fitted model and "
                "are learned as unknown. Pass extend_vocabulary=True to give them "
                "places in it, or fit with warm_start=False to learn anew.",
                stacklevel=2,
            )
        unknown = "error" if all_known else "unk"
        return codec, codec.note_empty(codec._ids(values, numbers, tokens, unknown))

    def _taken_in(self, numbers: RaggedIds, tokens: list[Token]) -> str:
        """Return what becomes of tokens outside a given vocabulary: "unk" or "error".

        Where they are learned as unknown, a warning says so; all of them never are.
        """
        counts = self._unknown_counts(numbers, tokens)
        if self._unknown_in_training == "error" or len(counts) == len(tokens):
            return "error"
        if counts:
            warnings.warn(
                f"{self._share(counts, numbers)} are not in the vocabulary that is "
                "given and are learned as unknown. Add them to it, or pass "
                "unknown='error' to be told where they are.",
                stacklevel=2,
            )
        return "unk"

    def _unknown_counts(
        self, numbers: RaggedIds, tokens: list[Token]
    ) -> dict[Token, int]:
        """Return how often each token occurs that is not in the vocabulary."""
        occurs = np.bincount(numbers.ids, minlength=len(tokens)).tolist()
        counts = zip(tokens, occurs, strict=True)
        return {t: count for t, count in counts if t not in self.vocabulary}

    def _share(self, counts: Mapping[Token, int], numbers: RaggedIds) -> str:
        """Return what part of the tokens these are, and the first of them."""
        share = sum(counts.values()) / len(numbers.ids)
        first = ", ".join(repr(token) for token in list(counts)[:3])
        return f"{share:.1%} of the tokens of {self.name}, such as {first},"

    @property
    def _unknown_in_training(self) -> str:
        """What becomes of tokens outside the vocabulary; none is an integer answer."""
        is_integer_answer = self.name == "y" and self.has_integer_tokens
        return "error" if is_integer_answer else self.unknown

    def note_empty(self, trained: RaggedIds) -> RaggedIds:
        """Note whether a sequence that is trained on is empty; return the same."""
        self.saw_empty = self.saw_empty or bool((trained.lengths == 0).any())
        return trained

    def sequences(self, values: Any) -> list[Any]:
        """Return the sequences as strings, prepared, or as token lists.

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
                    f"the model was fitted; {place(self.name, i, values)} is "
                    f"{shown(sequence)}."
                )
        return prepared(sequences, self.preparation) if kind == "text" else sequences

    def tokens(self, values: Any) -> list[list[Token]]:
        """Return the tokens of each sequence, which must be as for `sequences`."""
        return list(tokenize(self.sequences(values), self.kind, self.tokenizer))

    def encode(self, values: Any, *, unknown: str | None = None) -> RaggedIds:
        """Return the ids of each sequence.

        Unknown tokens become UNK, or raise an error, as `unknown` says; when it is
        None, as the codec's own `unknown` says.
        """
        return self._ids(values, *self._numbered(values), unknown or self.unknown)

    def encode_streamed(self, values: Any) -> RaggedIds:
        """Return the ids of more sequences to train on, of the learned width."""
        numbers, tokens = self._numbered(values)
        self._check_width(numbers)
        return self._ids(values, numbers, tokens, self._unknown_in_training)

    def _check_width(self, numbers: RaggedIds) -> None:
        """Raise unless rows of integers are as wide as those that were learned."""
        others = np.flatnonzero(numbers.lengths != self.width)
        if self.width is not None and len(others):
            i = int(others[0])
            raise ValueError(
                f"the rows of {self.name} were {self.width} wide at first; "
                f"{self.name}[{i}] has {numbers.lengths[i]} integers."
            )

    def _numbered(self, values: Any) -> tuple[RaggedIds, list[Token]]:
        """Return sequences of numbers for tokens, and the token of each number."""
        check_unmasked(self.name, values)
        if self.has_integer_tokens and is_integer_array(values):
            return number_rows(values)
        sequences = self.sequences(values)
        return number_tokens(tokenize(sequences, self.kind, self.tokenizer))

    def _ids(
        self, values: Any, numbers: RaggedIds, tokens: list[Token], unknown: str
    ) -> RaggedIds:
        """Return the ids of numbered tokens, which are those of the values."""
        ids = np.array(self.vocabulary.encode(tokens), dtype=np.int32)[numbers.ids]
        if unknown == "error" and UNK in ids:
            row = _row_of(numbers, int(np.argmax(ids == UNK)))
            try:
                self.vocabulary.encode(
                    [tokens[n] for n in numbers[row]], unknown="error"
                )
            except ValueError as error:
                where = place(self.name, row, values)
                raise ValueError(f"{where}: {error}") from None
        encoded = RaggedIds(ids, numbers.lengths)
        return encoded.backwards() if self.reverse else encoded

    def decode(
        self,
        ids: np.ndarray | Sequence[Sequence[int]],
        *,
        unknown: Iterable[Sequence[Token]] = repeat(()),
    ) -> Any:
        """Return answers in the kind that was learned: a list, or an array.

        `unknown` holds, for each answer, the tokens to put in place of its UNKs.
        """
        if self.kind == "integers":
            integers = np.array(self.vocabulary.tokens, dtype=np.int64)
            return integers[np.asarray(ids).reshape(-1, self.width or 0) - FIRST_TOKEN]
        rows = ids.tolist() if isinstance(ids, np.ndarray) else ids
        token_lists = [
            self.vocabulary.decode(row, unknown=tokens)
            for row, tokens in zip(rows, unknown, strict=False)
        ]
        if self.kind == "tokens":
            return token_lists
        decode = get_tokenizer(self.tokenizer).decode
        return [join(decode, [str(t) for t in tokens]) for tokens in token_lists]

    @property
    def num_ids(self) -> int:
        """How many ids there are, the four special ones included."""
        return len(self.vocabulary)

    @property
    def kind_of_tokens(self) -> str:
        """A name for the tokens; codecs with the same one have tokens of one kind."""
        if self.kind != "text":
            return "integers" if self.has_integer_tokens else "strings"
        if isinstance(self.tokenizer, str):
            return f"{self.tokenizer!r} tokens"
        model = getattr(self.tokenizer, "model", self.tokenizer)
        return f"{type(model).__name__} tokens"

    @property
    def has_integer_tokens(self) -> bool:
        """Whether tokens are integers, none of which can be written for UNK."""
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
            "saw_empty": self.saw_empty,
            **self.preparation,
        }

    @classmethod
    def from_json(cls, name: str, value: dict[str, Any]) -> SequenceCodec:
        """Return the codec that :meth:`to_json` described.

        Raises
        ------
        ValueError
            When it is none of what that returns.
        """
        kind, tokenizer, width = value["kind"], value["tokenizer"], value["width"]
        types = {type(token) for token in value["tokens"]}
        integers = [t for t in value["tokens"] if isinstance(t, int)]
        fits = (
            (kind == "text") == (tokenizer is not None)
            and (kind == "integers") == (width is not None)
            and types
            in ([set(), {int}] if kind == "integers" else [set(), {str}, {int}])
            and not (kind == "text" and integers)
            and all(abs(token) < 2**63 for token in integers)
            and (width is None or 0 < width <= _WIDEST)
        )
        if not fits:
            raise ValueError(
                f"{name} of kind {kind!r:.20} cannot have these tokens, this tokenizer "
                f"and width {width!r:.20}"
            )
        check_choice(
            "unicode_normalization",
            value["unicode_normalization"],
            UNICODE_NORMALIZATIONS,
        )
        return cls(
            name,
            kind,
            None if tokenizer is None else tokenizer_from_json(tokenizer),
            Vocabulary(value["tokens"]),
            unknown=value["unknown"],
            width=width,
            reverse=value["reverse"],
            lowercase=value["lowercase"],
            unicode_normalization=value["unicode_normalization"],
            saw_empty=value.get("saw_empty", True),  # the first files did not say
        )


def _check_64_bits(
    name: str, values: Any, numbers: RaggedIds, tokens: list[Token]
) -> None:
    """Raise for a token that is a larger integer than arrays of answers can hold."""
    if (token := too_wide(tokens)) is not None:
        row = _row_of(numbers, int(np.argmax(numbers.ids == tokens.index(token))))
        raise ValueError(f"{place(name, row, values)} holds {wide_integer(token)}")


def _row_of(numbers: RaggedIds, position: int) -> int:
    """Return in which sequence the token at a position of all tokens is."""
    return int(np.searchsorted(numbers.starts, position, side="right")) - 1
