"""The codecs of a fit: learned from the data as settings say."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

from kseq2seq.arguments import shown, written
from kseq2seq.codec import KINDS, SequenceCodec, as_sequences
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


def shared_ids(settings: TargetSettings, X: Any, y: Any) -> list[Encoded]:
    """Return new codecs of one vocabulary, and the ids of each side."""
    (sources, kind), (targets, other) = as_sequences("X", X), as_sequences("y", y)
    mixed = _have_integers(sources) != _have_integers(targets)
    if kind != other or kind == "integers" or mixed:
        raise TypeError(
            "shared_vocabulary=True is for texts, or for lists of tokens of one "
            f"kind, on both sides; got {KINDS[kind]} in X and {KINDS[other]} in "
            f"y, such as {shown(sources[0])} and {shown(targets[0])}."
        )
    both, _ = source_ids(settings, sources + targets)
    encoded = []
    for name, values in (("X", sources), ("y", targets)):
        codec = copy.copy(both)
        codec.name, codec.reverse = name, name == "X" and settings.reverse_source
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
