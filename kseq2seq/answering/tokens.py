"""Tokens that settings and calls name, as ids of the answers."""

from __future__ import annotations

import copy
from collections.abc import Collection, Sequence
from numbers import Integral
from typing import Any

import numpy as np

from kseq2seq.arguments import place, shown, written
from kseq2seq.codec import SequenceCodec
from kseq2seq.ragged import RaggedIds


def token_ids(name: str, codec: SequenceCodec, tokens: Any) -> list[int]:
    """Return the ids of tokens that a parameter names, or raise."""
    listed: list[Any] = (
        list(tokens) if isinstance(tokens, Sequence | np.ndarray) else [None]
    )
    for token in listed:
        if not isinstance(token, str | Integral):
            raise TypeError(
                f"{name} must be a list of tokens of the answers; got {shown(tokens)}."
            )
        if token not in codec.vocabulary:
            raise ValueError(
                f"{name} holds {written(token)}, which is none of the "
                f"{len(codec.vocabulary.tokens)} tokens of the answers. Leave it out."
            )
    return codec.vocabulary.encode(listed)


def prefix_ids(codec: SequenceCodec, prefix: Any) -> list[int]:
    """Return the ids of the beginning that every answer is to have."""
    if prefix is None:
        return []
    try:
        tokens = codec.tokens([prefix])[0]
    except (ValueError, TypeError):
        raise TypeError(
            "forced_prefix must be the beginning of an answer, of the kind that y had; "
            f"got {shown(prefix)}."
        ) from None
    return token_ids("forced_prefix", codec, tokens)


def own_prefix_ids(
    codec: SequenceCodec,
    prefixes: Any,
    num_sources: int,
    *,
    max_length: int,
    forbidden_ids: Collection[int],
) -> RaggedIds:
    """Return the ids of the beginning that the answer to each source is to have.

    Raises
    ------
    ValueError, TypeError
        When there are not as many as sources, or one is no beginning of an answer:
        longer than any, or with a token that no answer has.
    """
    named = copy.copy(codec)
    named.name = "prefixes"  # in errors
    try:
        listed = named.tokens(prefixes)
    except (ValueError, TypeError) as error:
        raise type(error)(
            "prefixes must be a list with the beginning of each answer, in the kind "
            f"that y had, an empty one to force nothing: {error}"
        ) from None
    if len(listed) != num_sources:
        raise ValueError(
            "X and prefixes must be as long, one prefix for each source; got "
            f"{num_sources} in X and {len(listed)} in prefixes. An empty prefix forces "
            "nothing."
        )
    ids = []
    for i, tokens in enumerate(listed):
        name = place("prefixes", i, prefixes)
        if len(tokens) > max_length:
            raise ValueError(
                f"{name} has {len(tokens)} tokens, and an answer at most max_length_="
                f"{max_length}. Shorten it, or fit with a larger max_length."
            )
        ids.append(token_ids(name, codec, tokens))
        for token, number in zip(tokens, ids[-1], strict=True):
            if number in forbidden_ids:
                raise ValueError(
                    f"{name} holds {written(token)}, which is one of forbidden_tokens. "
                    "Take it out of one of the two."
                )
    return RaggedIds.of(ids)
