"""Features beside sources: tokens of a kind of their own, with ids of their own."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from typing import Any

import numpy as np

from kseq2seq.arguments import check_unmasked, has_order, place, shown, written
from kseq2seq.codec.numbering import Numbered
from kseq2seq.codec.sequences import as_vocabulary, without_tensor
from kseq2seq.ragged import RaggedIds
from kseq2seq.vocabulary import FIRST_TOKEN, UNK, Token, Vocabulary

FEATURE = -1
"""Stands where a feature has no id of a vocabulary."""


class Features:
    """The features that stand beside sources, and their ids among those of sources.

    A feature is never a token of a source that is written alike: it has an id of its
    own. Ids are given as features and tokens arrive: first the tokens of the first
    training, then the unknown feature and the features of that training, then what
    later trainings bring of either kind. So none ever changes, and the ids of tokens
    are, in order, those that are none of a feature.

    Parameters
    ----------
    names : sequence of str
        Distinct.
    ids : sequence of int
        That of the unknown feature, then one for each name.
    """

    def __init__(self, names: Sequence[str], ids: Sequence[int]) -> None:
        self.vocabulary = Vocabulary(names)
        self.ids = np.array(ids, np.int32)
        self._token_ids = np.zeros(0, np.int32)

    @classmethod
    def learn(cls, numbered: Numbered, first_id: int, given: Any = None) -> Features:
        """Return features, those that are given or all that there are, in new ids.

        The most frequent come first.

        Raises
        ------
        ValueError, TypeError
            When there is none, or those that are given are no list of strings.
        """
        if given is None:
            if not numbered.tokens:
                raise ValueError(
                    "no pair of X has a feature; expected some that have, as ('gehen', "
                    "['V', 'PST']). Pass the sources alone where there are none."
                )
            names = Vocabulary.from_counts(numbered.counts()).tokens
        else:
            names = _as_given(given)
            if numbered.tokens and not {*names} & {*numbered.tokens}:
                raise ValueError(
                    "feature_vocabulary has none of the features of X: it is "
                    f"{written(names)}, and X has {written(numbered.tokens)}. Add "
                    "these, or leave it out."
                )
        ids = range(first_id, first_id + 1 + len(names))
        return cls([str(name) for name in names], ids)

    def grown(self, numbered: Numbered, first_id: int) -> Features:
        """Return the features with those that are new, in ids from the first on."""
        counts = numbered.unknown_counts(self.vocabulary)
        more = Vocabulary.from_counts(counts).tokens
        names = [str(name) for name in (*self.vocabulary.tokens, *more)]
        return Features(names, [*self.ids, *range(first_id, first_id + len(more))])

    def token_ids(self, num_tokens: int) -> np.ndarray:
        """Return the ids of a vocabulary's tokens, special ones first, in order."""
        if len(self._token_ids) != num_tokens:
            everything = np.arange(num_tokens + len(self.ids), dtype=np.int32)
            self._token_ids = np.setdiff1d(everything, self.ids, assume_unique=True)
        return self._token_ids

    @property
    def ids_by_name(self) -> dict[str, int]:
        """The id of each feature."""
        names = map(str, self.vocabulary.tokens)
        return dict(zip(names, self.ids[1:].tolist(), strict=True))

    def encode(
        self,
        numbered: Numbered,
        values: Any,
        *,
        unknown: str,
        told: set[str] | None = None,
    ) -> RaggedIds:
        """Return the ids of the features of each source.

        Parameters
        ----------
        numbered : Numbered
            The features of the values, which name places in errors.
        values : pairs
        unknown : {"unk", "error"}
            What becomes of a feature that is none of these: the unknown one, with a
            warning, or an error.
        told : set of str, optional
            The unknown features that warnings have named already: there is no second
            one.

        Raises
        ------
        ValueError
            With ``unknown="error"``; the message names the place.
        """
        found = np.array(self.vocabulary.encode(numbered.tokens), np.int32)
        if UNK in found:
            names = [str(n) for n in numbered.unknown_counts(self.vocabulary)]
            if unknown == "error":
                i = int(np.argmax((found == UNK)[numbered.sequences.ids]))
                raise ValueError(
                    f"{place('X', numbered.row_of(i), values)} has the feature "
                    f"{written(names[0])}, which is none of the "
                    f"{len(self.vocabulary.tokens)} that the model knows. Leave it "
                    "out, train with it, or pass unknown='unk'."
                )
            _tell_of_unknown(names, told)
        rows = np.maximum(found - FIRST_TOKEN + 1, 0)
        ids = self.ids[rows[numbered.sequences.ids]]
        return RaggedIds(ids, numbered.sequences.lengths)

    def to_json(self) -> dict[str, Any]:
        """Return the features as JSON values."""
        unknown_id, *ids = self.ids.tolist()
        tokens = self.vocabulary.tokens
        return {"tokens": tokens, "ids": ids, "unknown_id": unknown_id}

    @classmethod
    def from_json(cls, value: Mapping[str, Any], num_tokens: int) -> Features:
        """Return the features that :meth:`to_json` described.

        Raises
        ------
        ValueError
            When ids are not distinct, or leave no place for the tokens of a vocabulary.
        """
        names, ids = value["tokens"], [value["unknown_id"], *value["ids"]]
        end = num_tokens + len(ids)
        if (
            len(ids) != len(names) + 1
            or len(set(ids)) < len(ids)
            or not all(FIRST_TOKEN <= i < end for i in ids)
        ):
            raise ValueError(
                f"{len(names)} features beside {num_tokens} ids of tokens cannot have "
                f"the ids {written(ids)}"
            )
        return cls(names, ids)


def _as_given(given: Any) -> list[Token]:
    """Return the features that are given up front, at least one."""
    names: list[Token] = []
    if not isinstance(given, str):
        with suppress(TypeError):
            names = as_vocabulary("the features of X", given).tokens
    if not names or not isinstance(names[0], str):
        raise TypeError(
            "feature_vocabulary must be a list of strings, at least one; got "
            f"{shown(given)}."
        )
    return names


def _tell_of_unknown(names: list[str], told: set[str] | None) -> None:
    """Warn of unknown features, unless a warning has named some before."""
    if not told:
        listed = ", ".join(written(name) for name in names[:3])
        warnings.warn(
            f"X has features that the model does not know, such as {listed}; they are "
            "taken for its unknown feature. Pass unknown='error' to be told where they "
            "are, or train with them (extend_vocabulary=True gives them places).",
            stacklevel=2,
        )
    if told is not None:
        told.update(names)


def split_features(name: str, values: Any) -> tuple[Any, list[list[str]] | None]:
    """Return sequences alone, and the features of each; None where there are none.

    A sequence with features is a tuple, or a row of an array of objects, of two, whose
    second is a list, a tuple or an array; or a row of a table of two columns. Nothing
    else is looked at.

    Raises
    ------
    ValueError, TypeError
        When some have features and others have none, when features are no strings, or
        when they stand beside answers; the message names the place.
    """
    if hasattr(values, "columns"):
        if len(values.columns) != 2:
            return values, None
        pairs = _rows_of_table(name, values)
    elif not has_order(values) or getattr(values, "ndim", 1) == 0 or _is_plain(values):
        return values, None
    else:
        pairs = list(values)
        has_features = [_has_features(value) for value in pairs]
        if not any(has_features):
            return (pairs if isinstance(values, Iterator) else values), None
        _check_alike(name, values, pairs, has_features)
    if name != "X":
        raise TypeError(
            f"{place(name, 0, values)} is {shown(pairs[0])}, a sequence with features, "
            "which only sources (X) have. Pass the answer alone."
        )
    sequences = [sequence for sequence, _ in pairs]
    lists = [_as_features(name, i, values, found) for i, (_, found) in enumerate(pairs)]
    return sequences, lists


def with_features(
    sequences: Iterable[Any], lists: Iterable[list[str]] | None
) -> list[Any]:
    """Return pairs of a sequence and its features; sequences alone without these."""
    return [*sequences] if lists is None else [*zip(sequences, lists, strict=True)]


def source_text(source: Any) -> str:
    """Return a source as a line shows it, its features in brackets behind it.

    Examples
    --------
    >>> from kseq2seq.codec import source_text
    >>> source_text("walk"), source_text(("walk", ["V", "PST"]))
    ('walk', 'walk [V] [PST]')
    """
    if not _has_features(source):
        return str(source)
    sequence, features = source
    return " ".join([str(sequence), *map("[{}]".format, features)])


def _is_plain(values: Any) -> bool:
    """Whether an array has no place for features."""
    dtype = getattr(values, "dtype", None)
    return getattr(dtype, "kind", "O") != "O"


def _has_features(value: Any) -> bool:
    """Whether this is a pair of a sequence and a list, and so no list of tokens."""
    is_row = isinstance(value, np.ndarray) and value.dtype.kind == "O"
    if not (isinstance(value, tuple) or (is_row and value.ndim == 1)):
        return False
    if len(value) != 2:
        return False
    second = value[1]
    return isinstance(second, list | tuple | Set) or getattr(second, "ndim", 0) == 1


def _check_alike(
    name: str, values: Any, pairs: Sequence[Any], has_features: list[bool]
) -> None:
    """Raise unless all sequences have features, be it none of them."""
    if all(has_features):
        return
    first, other = has_features.index(True), has_features.index(False)
    raise TypeError(
        f"{name} must hold sequences alone, or pairs (source, features) throughout; "
        f"{place(name, first, values)} is {shown(pairs[first])} and "
        f"{place(name, other, values)} is {shown(pairs[other])}. Pass (source, []) for "
        "a source that has no features."
    )


def _rows_of_table(name: str, values: Any) -> list[tuple[Any, Any]]:
    """Return the rows of a table of two columns, or raise where none are features."""
    first, second = values.columns
    pairs = list(zip(values[first], values[second], strict=True))
    for i, pair in enumerate(pairs):
        if not _has_features(pair):
            raise TypeError(
                f"{name} is a table of two columns, the second of which must hold "
                "features, a list of strings in each row; "
                f"{place(name, i, values)} has {shown(pair[1])}. Split texts, as "
                f"X[{second!r}].str.split(';') does, or pass one of its columns: "
                f"{name}[column]."
            )
    return pairs


def _as_features(name: str, i: int, values: Any, features: Any) -> list[str]:
    """Return the features of a source as strings, in their order."""
    features = without_tensor(features)
    where = place(name, i, values)
    check_unmasked(where, features)
    if isinstance(features, Set):
        raise TypeError(
            f"features must be a list of strings; those of {where} are a set, "
            f"{written(features)}, which has no order. Pass sorted(features)."
        )
    try:
        found = [_as_text(feature) for feature in features]
    except UnicodeDecodeError as error:
        raise ValueError(
            f"bytes must be UTF-8; {where} has the feature {shown(error.object)}. "
            "Decode it."
        ) from None
    for feature in found:
        if not isinstance(feature, str):
            raise TypeError(
                f"features must be strings; {where} has {shown(feature)}. Pass "
                "str(feature)."
            )
    return found


def _as_text(feature: Any) -> Any:
    """Return a feature that is text, or bytes of it, as a plain string."""
    if isinstance(feature, bytes):
        return feature.decode()
    return str(feature) if isinstance(feature, str) else feature
