"""Tokens that settings name, as ids of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import numpy as np

from kseq2seq.arguments import shown, written
from kseq2seq.codec import SequenceCodec


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
