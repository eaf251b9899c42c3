"""Sequences, and the features beside them, to ids."""

from __future__ import annotations

from typing import Any

import numpy as np

from kseq2seq.arguments import check_choice, check_unmasked, place, shown
from kseq2seq.codec.features import FEATURE, Features, split_features, with_features
from kseq2seq.codec.numbering import (
    Numbered,
    is_integer_array,
    number_rows,
    number_tokens,
)
from kseq2seq.codec.sequences import KINDS, as_sequences
from kseq2seq.codec.texts import prepared, tokenize
from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import UNK, Token, Vocabulary


class SequencesToIds:
    """How sequences of one side, source or target, become ids.

    Sources may stand beside features, in pairs: a source's ids are then its tokens'
    and, after them, its features'. The vocabulary is of tokens alone; which ids are a
    token's says :attr:`vocabulary_ids`.

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
        Whether the ids of tokens stand in reversed order.
    features : Features, optional
        Where sources have features.
    lowercase, unicode_normalization
        How texts are prepared; see :func:`kseq2seq.tokenizers.prepare_text`.
    saw_empty : bool, default True
        Whether a sequence of training had no token; kept up to date by
        :meth:`SequenceCodec.note_empty`.
    """

    features: Features | None = None  # the first pickles do not say

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
        features: Features | None = None,
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
        self.features = features
        self.saw_empty = saw_empty
        self.preparation: dict[str, Any] = {
            "lowercase": lowercase,
            "unicode_normalization": unicode_normalization,
        }

    def sequences(self, values: Any) -> list[Any]:
        """Return the sequences as strings, prepared, or as token lists.

        Those with features come as pairs.

        Raises
        ------
        TypeError
            When the values are of another kind than those that were learned.
        """
        return with_features(*self._split(values))

    def tokens(self, values: Any) -> list[list[Token]]:
        """Return the tokens of each sequence, which must be as for `sequences`."""
        return list(tokenize(self._split(values)[0], self.kind, self.tokenizer))

    def feature_lists(self, values: Any) -> list[list[str]]:
        """Return the features of each sequence; none each where they have none."""
        sequences, lists = self._split(values)
        return [[] for _ in sequences] if lists is None else lists

    def _split(self, values: Any) -> tuple[list[Any], list[list[str]] | None]:
        """Return the sequences, of the kind that was learned, and their features."""
        alone, lists = split_features(self.name, values)
        sequences, kind = as_sequences(self.name, alone, values)
        self._check_features(values, sequences, lists)
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
        if kind == "text":
            sequences = prepared(sequences, self.preparation)
        return sequences, lists

    def _check_features(
        self, values: Any, sequences: list[Any], lists: list[list[str]] | None
    ) -> None:
        """Raise where sequences have features, and those that were learned had none."""
        where = place(self.name, 0, values)
        if lists is None and self.features is not None:
            raise TypeError(
                f"{self.name} held pairs (source, features) when the model was fitted; "
                f"{where} is {shown(sequences[0])} alone. Pass (source, features), "
                "with [] for a source that has none."
            )
        if lists is not None and self.features is None:
            raise TypeError(
                f"{self.name} held sources alone when the model was fitted; {where} is "
                f"a pair with the features {shown(lists[0])}. Pass the sources alone, "
                "or fit a new model with features (warm_start=False)."
            )

    def encode(
        self,
        values: Any,
        *,
        unknown: str | None = None,
        told: set[str] | None = None,
    ) -> RaggedIds:
        """Return the ids of each sequence.

        Unknown tokens become UNK, or raise an error, as `unknown` says; when it is
        None, as the codec's own `unknown` says. So do unknown features, of which a
        warning tells unless `told` names some; see :meth:`Features.encode`.
        """
        return self._encoded(values, *self._numbered(values), unknown, told)

    def encode_streamed(
        self, values: Any, *, told: set[str] | None = None
    ) -> RaggedIds:
        """Return the ids of more sequences to train on, of the learned width."""
        numbered, features = self._numbered(values)
        self.check_width(numbered.sequences)
        unknown = self._unknown_in_training
        return self._encoded(values, numbered, features, unknown, told)

    def check_width(self, sequences: RaggedIds) -> None:
        """Raise unless rows of integers are as wide as those that were learned."""
        lengths = sequences.lengths
        others = np.flatnonzero(lengths != self.width)
        if self.width is not None and len(others):
            i = int(others[0])
            raise ValueError(
                f"the rows of {self.name} were {self.width} wide at first; "
                f"{self.name}[{i}] has {lengths[i]} integers."
            )

    def _numbered(self, values: Any) -> tuple[Numbered, Numbered | None]:
        """Return sequences as numbers of their tokens, and features likewise."""
        check_unmasked(self.name, values)
        is_plain = self.has_integer_tokens and self.features is None
        if is_plain and is_integer_array(values):
            return number_rows(values), None
        sequences, lists = self._split(values)
        numbered = number_tokens(tokenize(sequences, self.kind, self.tokenizer))
        return numbered, None if lists is None else number_tokens(lists)

    def _encoded(
        self,
        values: Any,
        numbered: Numbered,
        features: Numbered | None,
        unknown: str | None,
        told: set[str] | None,
    ) -> RaggedIds:
        """Return the ids of tokens and of the features that stand beside them."""
        unknown = unknown or self.unknown
        ids = self._ids(values, numbered, unknown)
        if self.features is None or features is None:
            return ids
        return ids.joined(
            self.features.encode(features, values, unknown=unknown, told=told)
        )

    def _ids(self, values: Any, numbered: Numbered, unknown: str) -> RaggedIds:
        """Return the ids of numbered tokens, which are those of the values."""
        sequences, tokens = numbered
        ids = np.array(self.vocabulary.encode(tokens), dtype=np.int32)
        ids = ids[sequences.ids]
        if unknown == "error" and UNK in ids:
            row = numbered.row_of(int(np.argmax(ids == UNK)))
            try:
                self.vocabulary.encode(
                    [tokens[n] for n in sequences[row]], unknown="error"
                )
            except ValueError as error:
                where = place(self.name, row, values)
                raise ValueError(f"{where}: {error}") from None
        if self.features is not None:
            ids = self.features.token_ids(len(self.vocabulary))[ids]
        encoded = RaggedIds(ids, sequences.lengths)
        return encoded.backwards() if self.reverse else encoded

    @property
    def feature_ids(self) -> dict[str, int] | None:
        """The id of each feature, None where sources have none."""
        return None if self.features is None else self.features.ids_by_name

    @property
    def vocabulary_ids(self) -> np.ndarray:
        """What each id of the sequences is in the vocabulary, -1 if it is a feature's.

        Whatever looks for tokens in the ids of sources (to copy them, to count them)
        finds here which these are, and which features are to be passed over.
        """
        if self.features is None:
            return np.arange(self.num_ids)
        ids = np.full(self.num_ids, FEATURE)
        ids[self.features.token_ids(len(self.vocabulary))] = np.arange(
            len(self.vocabulary)
        )
        return ids

    def without_features(self, ids: RaggedIds) -> RaggedIds:
        """Return the tokens alone of sequences of ids, as ids of the vocabulary."""
        if self.features is None:
            return ids
        own = self.vocabulary_ids[ids.ids]
        return RaggedIds(own, ids.lengths).keep(own != FEATURE)

    @property
    def _unknown_in_training(self) -> str:
        """What becomes of tokens outside the vocabulary; none is an integer answer."""
        is_integer_answer = self.name == "y" and self.has_integer_tokens
        return "error" if is_integer_answer else self.unknown

    @property
    def num_ids(self) -> int:
        """How many ids there are, the four special ones and features included."""
        beside = 0 if self.features is None else len(self.features.ids)
        return len(self.vocabulary) + beside

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
