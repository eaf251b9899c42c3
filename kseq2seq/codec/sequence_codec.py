"""The codec of one side: sequences to ids, and ids to answers of the same kind."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Any

import numpy as np

from kseq2seq.arguments import check_choice, check_unmasked, place, written
from kseq2seq.codec.features import Features, split_features
from kseq2seq.codec.numbering import (
    Numbered,
    is_integer_array,
    number_rows,
    number_tokens,
)
from kseq2seq.codec.sequences import (
    as_sequences,
    as_vocabulary,
    too_wide,
    wide_integer,
)
from kseq2seq.codec.texts import check_unicode, join, prepared, tokenize
from kseq2seq.codec.to_ids import SequencesToIds
from kseq2seq.ragged import RaggedIds
from kseq2seq.tokenizer_files import tokenizer_from_json, tokenizer_to_json
from kseq2seq.tokenizers import (
    UNICODE_NORMALIZATIONS,
    get_tokenizer,
    is_trained,
    train_tokenizer,
)
from kseq2seq.vocabulary import FIRST_TOKEN, Token, Vocabulary

_TOKEN_TYPES = {"text": {str}, "tokens": {str, int}, "integers": {int}}
_WIDEST = 100_000
"""Integers in a row of a model file at most."""


class SequenceCodec(SequencesToIds):
    """The sequences of one side: what `fit` learns of them, and ids to answers.

    Parameters are those of :class:`SequencesToIds`.
    """

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
        features: Sequence[str] | Vocabulary | None = None,
        reverse: bool = False,
        **preparation: Any,
    ) -> tuple[SequenceCodec, RaggedIds]:
        """Return a codec for the values, and the ids that it gives them.

        Tokens outside a vocabulary that is given are UNK, with a warning, or raise, as
        `unknown` says; so are features. A tokenizer that is named with a size is
        trained on the values.

        Raises
        ------
        ValueError, TypeError
            When the values are not sequences of one kind, or not one of their tokens is
            in the vocabulary that is given.
        """
        check_unmasked(name, values)
        lists = None
        if is_integer_array(values):
            kind, numbered = "integers", number_rows(values)
        else:
            alone, lists = split_features(name, values)
            sequences, kind = as_sequences(name, alone, values)
            if kind == "text":
                sequences = prepared(sequences, preparation)
                if is_trained(tokenizer):
                    check_unicode(name, sequences)
                tokenizer = train_tokenizer(tokenizer, sequences)
            numbered = number_tokens(tokenize(sequences, kind, tokenizer))
        _check_64_bits(name, values, numbered)
        given = vocabulary
        if given is None:
            vocabulary = _learned(name, numbered, min_frequency, max_size)
        else:
            vocabulary = as_vocabulary(name, given)
        codec = cls(
            name,
            kind,
            tokenizer,
            vocabulary,
            unknown=unknown,
            width=int(numbered.sequences.lengths[0]) if kind == "integers" else None,
            reverse=reverse,
            saw_empty=False,
            **preparation,
        )
        takes = "unk" if given is None else codec._taken_in(numbered)
        ids = codec._ids(values, numbered, takes)
        if lists is not None:
            ids = ids.joined(codec._learn_features(values, lists, features))
        elif features is not None:
            raise ValueError(
                f"feature_vocabulary is given, and {name} holds sequences alone. Pass "
                "pairs (source, features), or leave it out."
            )
        return codec, codec.note_empty(ids)

    def _learn_features(
        self, values: Any, lists: list[list[str]], given: Any
    ) -> RaggedIds:
        """Take on features, those given or all that there are; return their ids."""
        numbered = number_tokens(lists)
        self.features = Features.learn(numbered, len(self.vocabulary), given)
        return self.features.encode(numbered, values, unknown=self.unknown)

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
        numbered, features = self._numbered(values)
        _check_64_bits(self.name, values, numbered)
        all_known = self.name == "y" and self.has_integer_tokens
        if all_known:
            self.check_width(numbered.sequences)
        codec = copy.copy(self)  # or a fit that fails would have changed it
        counts = numbered.unknown_counts(self.vocabulary)
        if counts and extends:
            more = Vocabulary.from_counts(counts, min_frequency=min_frequency).tokens
            everything = [*self.vocabulary.tokens, *more]
            largest = max(max_size or len(everything), len(self.vocabulary.tokens))
            codec.vocabulary = Vocabulary(everything[:largest])
        elif counts and warns and not all_known:
            warnings.warn(
                f"{numbered.share(counts, self.name)} are unknown to the fitted model "
                "and are learned as unknown. Pass extend_vocabulary=True to give them "
                "places in it, or fit with warm_start=False to learn anew.",
                stacklevel=2,
            )
        ids = codec._ids(values, numbered, "error" if all_known else "unk")
        if codec.features is not None and features is not None:
            if extends:
                codec.features = codec.features.grown(features, codec.num_ids)
            ids = ids.joined(codec.features.encode(features, values, unknown="unk"))
        return codec, codec.note_empty(ids)

    def _taken_in(self, numbered: Numbered) -> str:
        """Return what becomes of tokens outside a given vocabulary: "unk" or "error".

        Where they are learned as unknown, a warning says so; all of them never are.
        """
        counts = numbered.unknown_counts(self.vocabulary)
        if self._unknown_in_training == "error":
            return "error"
        if counts and len(counts) == len(numbered.tokens):
            raise ValueError(
                f"the vocabulary that is given for {self.name} has none of its tokens: "
                f"it is {written(self.vocabulary.tokens)}, and {self.name} has "
                f"{written([*counts])}. Pass that of these data, or leave it out."
            )
        if counts:
            warnings.warn(
                f"{numbered.share(counts, self.name)} are not in the vocabulary that "
                "is given and are learned as unknown. Add them to it, or pass "
                "unknown='error' to be told where they are.",
                stacklevel=2,
            )
        return "unk"

    def note_empty(self, trained: RaggedIds) -> RaggedIds:
        """Note whether a sequence that is trained on has no token; return the same."""
        lengths = self.without_features(trained).lengths
        self.saw_empty = self.saw_empty or bool((lengths == 0).any())
        return trained

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

    def to_json(self) -> dict[str, Any]:
        """Return the codec as JSON values; without code, so without functions."""
        is_text = self.kind == "text"
        features = self.features
        return {
            "kind": self.kind,
            "tokenizer": tokenizer_to_json(self.tokenizer) if is_text else None,
            "tokens": self.vocabulary.tokens,
            "unknown": self.unknown,
            "width": self.width,
            "reverse": self.reverse,
            "saw_empty": self.saw_empty,
            **({} if features is None else {"features": features.to_json()}),
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
        features = value.get("features")
        fits = (
            (kind == "text") == (tokenizer is not None)
            and (kind == "integers") == (width is not None)
            and types
            in ([set(), {int}] if kind == "integers" else [set(), {str}, {int}])
            and not (kind == "text" and integers)
            and all(abs(token) < 2**63 for token in integers)
            and (width is None or 0 < width <= _WIDEST)
            and (features is None or name == "X")
        )
        if not fits:
            raise ValueError(
                f"{name} of kind {kind!r:.20} cannot have these tokens, this "
                f"tokenizer, width {width!r:.20} or features"
            )
        check_choice(
            "unicode_normalization",
            value["unicode_normalization"],
            UNICODE_NORMALIZATIONS,
        )
        vocabulary = Vocabulary(value["tokens"])
        return cls(
            name,
            kind,
            None if tokenizer is None else tokenizer_from_json(tokenizer),
            vocabulary,
            unknown=value["unknown"],
            width=width,
            reverse=value["reverse"],
            features=None
            if features is None
            else Features.from_json(features, len(vocabulary)),
            lowercase=value["lowercase"],
            unicode_normalization=value["unicode_normalization"],
            saw_empty=value.get("saw_empty", True),  # the first files did not say
        )


def _learned(
    name: str, numbered: Numbered, min_frequency: int, max_size: int | None
) -> Vocabulary:
    """Return the vocabulary of the tokens that there are; raise if none is left."""
    counts = numbered.counts()
    vocabulary = Vocabulary.from_counts(
        counts, min_frequency=min_frequency, max_size=max_size
    )
    if counts and not vocabulary.tokens:
        raise ValueError(
            f"min_frequency={min_frequency} leaves no token of {name}, whose most "
            f"frequent one comes {max(counts.values())} times. Pass a lower one."
        )
    return vocabulary


def _check_64_bits(name: str, values: Any, numbered: Numbered) -> None:
    """Raise for a token that is a larger integer than arrays of answers can hold."""
    if (token := too_wide(numbered.tokens)) is not None:
        number = numbered.tokens.index(token)
        row = numbered.row_of(int(np.argmax(numbered.sequences.ids == number)))
        raise ValueError(f"{place(name, row, values)} holds {wide_integer(token)}")
