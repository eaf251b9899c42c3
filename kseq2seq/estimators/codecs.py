"""The codecs of a fit: learned from the data as settings say."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kseq2seq.arguments import shown, written
from kseq2seq.codec import (
    KINDS,
    SequenceCodec,
    as_sequences,
    split_features,
    with_features,
)
from kseq2seq.estimators.examples import FitData
from kseq2seq.estimators.series import tell_of_series
from kseq2seq.estimators.settings import SourceSettings, TargetSettings
from kseq2seq.ragged import RaggedIds
from kseq2seq.tokenizers import is_trained

Encoded = tuple[SequenceCodec, RaggedIds]
"""The codec of a side, and the ids of the side's sequences."""


def source_ids(
    settings: SourceSettings,
    X: Any,
    known: SequenceCodec | None = None,
    *,
    reverse: bool = False,
    continues: bool = False,
) -> Encoded:
    """Return the codec of the sources, the known one or a new one, and their ids."""
    if known is not None:
        return known.take_up(X, **_growth(settings, continues=continues))
    return SequenceCodec.learn(
        "X",
        X,
        tokenizer=settings.source_tokenizer,
        unknown=settings.unknown,
        min_frequency=settings.min_frequency,
        max_size=settings.max_size,
        vocabulary=settings.source_vocabulary,
        features=settings.feature_vocabulary,
        reverse=reverse,
        lowercase=settings.lowercase,
        unicode_normalization=settings.unicode_normalization,
    )


def target_ids(
    settings: TargetSettings,
    y: Any,
    known: SequenceCodec | None = None,
    *,
    continues: bool = False,
) -> Encoded:
    """Return the codec of the targets, the known one or a new one, and their ids."""
    if known is not None:
        growth = _growth(settings, continues=continues)
        return known.take_up(y, **growth, warns=continues)
    return SequenceCodec.learn(
        "y",
        y,
        tokenizer=settings.target_tokenizer,
        unknown=settings.unknown,
        min_frequency=settings.min_frequency,
        max_size=settings.max_size,
        vocabulary=settings.target_vocabulary,
        lowercase=settings.lowercase,
        unicode_normalization=settings.unicode_normalization,
    )


def _growth(settings: SourceSettings, *, continues: bool) -> dict[str, Any]:
    """Return how a known vocabulary grows where a fit continues with a model."""
    return {
        "extends": continues and settings.extend_vocabulary,
        "min_frequency": settings.min_frequency,
        "max_size": settings.max_size,
    }


def both_sides(
    settings: TargetSettings, data: FitData, known: Sequence[Any]
) -> list[Encoded]:
    """Return the codecs and ids of sources and targets.

    Parameters
    ----------
    settings : TargetSettings
    data : FitData
    known : pair of codecs or None
        Those of both sides that are used again.
    """
    source, target = known
    if source is None and settings.shared_vocabulary:
        return shared_ids(settings, data.X, data.y)
    reverse, continues = settings.reverse_source, data.continues
    codec, sources = source_ids(
        settings, data.X, source, reverse=reverse, continues=continues
    )
    if settings.shared_vocabulary:  # which grows by the tokens of both sides
        target = copy.copy(target)
        target.vocabulary = codec.vocabulary
    other, targets = target_ids(settings, data.y, target, continues=continues)
    if settings.shared_vocabulary:
        codec.vocabulary = other.vocabulary
    sides = [(codec, sources), (other, targets)]
    if not continues:
        tell_of_series(*sides)
    return sides


def shared_ids(settings: TargetSettings, X: Any, y: Any) -> list[Encoded]:
    """Return new codecs of one vocabulary, and the ids of each side.

    Features are of the sources alone.
    """
    (alone, lists), (answers, _) = split_features("X", X), split_features("y", y)
    sources, kind = as_sequences("X", alone, X)
    targets, other = as_sequences("y", answers, y)
    mixed = _have_integers(sources) != _have_integers(targets)
    if kind != other or kind == "integers" or mixed:
        raise TypeError(
            "shared_vocabulary=True is for texts, or for lists of tokens of one "
            f"kind, on both sides; got {KINDS[kind]} in X and {KINDS[other]} in "
            f"y, such as {shown(sources[0])} and {shown(targets[0])}."
        )
    nothing = None if lists is None else [*lists, *([] for _ in targets)]
    both, _ = source_ids(settings, with_features(sources + targets, nothing))
    encoded = []
    for name, values in (("X", with_features(sources, lists)), ("y", targets)):
        codec = copy.copy(both)
        codec.name, codec.reverse = name, name == "X" and settings.reverse_source
        codec.features = both.features if name == "X" else None
        codec.saw_empty = False
        ids = codec.note_empty(codec.encode(values, unknown="unk"))
        encoded.append((codec, ids))
    return encoded


def _have_integers(sequences: Sequence[Any]) -> bool:
    return any(isinstance(token, int) for sequence in sequences for token in sequence)


def check_shared_vocabulary(settings: TargetSettings) -> None:
    """Raise unless both sides are to be split alike, where they share a vocabulary."""
    if not settings.shared_vocabulary:
        return
    if settings.source_tokenizer != settings.target_tokenizer:
        raise ValueError(
            "shared_vocabulary=True needs the same tokenizer on both sides; got "
            f"source_tokenizer={shown(settings.source_tokenizer)} and "
            f"target_tokenizer={shown(settings.target_tokenizer)}."
        )
    for name in ("source_vocabulary", "target_vocabulary"):
        if getattr(settings, name) is not None:
            raise ValueError(
                f"{name} is given, and shared_vocabulary=True learns one for both "
                "sides. Leave one of the two out."
            )


def check_source_embedding(settings: Mapping[str, Any], source: SequenceCodec) -> None:
    """Raise unless rows of embeddings that are given are there for features, too."""
    embedding = settings["source_embedding"]
    if source.features is None or not isinstance(embedding, np.ndarray):
        return
    if len(embedding) != source.num_ids:
        raise ValueError(
            f"source_embedding must have {source.num_ids} rows: 4 for PAD, UNK, START "
            f"and END, {len(source.vocabulary.tokens)} for the tokens of X, 1 for an "
            f"unknown feature and {len(source.features.ids) - 1} for the features; got "
            f"{len(embedding)}. Pass source_vocabulary and feature_vocabulary, whose "
            "order that of the rows is then."
        )


def check_given_features(settings: SourceSettings, X: Any) -> None:
    """Raise where sources of a stream have features, and these are not given."""
    if settings.feature_vocabulary is None and split_features("X", X)[1] is not None:
        raise ValueError(
            "a stream does not tell all its features: pass feature_vocabulary, a list "
            "of them."
        )


def check_given_vocabularies(settings: TargetSettings) -> None:
    """Raise unless the vocabularies that a stream cannot tell are given."""
    for side in ("source", "target"):
        tokenizer = getattr(settings, f"{side}_tokenizer")
        if is_trained(tokenizer):
            raise ValueError(
                f"{side}_tokenizer={written(tokenizer)} is trained on all texts, and a "
                "stream does not show them first: pass a tokenizers.Tokenizer, "
                "such as kseq2seq.tokenizers.train_tokenizer gives."
            )
        name = f"{side}_vocabulary"
        if getattr(settings, name) is None:
            raise ValueError(
                f"a stream does not tell all its tokens: pass {name}, a list of "
                "them or a string of characters."
            )
