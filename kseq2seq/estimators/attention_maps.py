"""Where answers looked: attention weights with the tokens on both axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kseq2seq.vocabulary import END, SPECIAL_TOKENS, Token, Vocabulary


class AttentionMap(NamedTuple):
    """Where an answer looked, in the order that ``plotting.plot_attention`` takes.

    Attributes
    ----------
    weights : numpy.ndarray
        ``(len(target_tokens), len(source_tokens))``, each row summing to 1.
    source_tokens : list of str or int
        The source's tokens and ``"<end>"``.
    target_tokens : list of str or int
        The answer's tokens and, where it ended, ``"<end>"``.
    """

    weights: np.ndarray
    source_tokens: list[Token]
    target_tokens: list[Token]


def attention_maps(
    weights: np.ndarray,
    sources: Sequence[list[Token]],
    answers: Sequence[list[int]],
    *,
    vocabulary: Vocabulary,
    reverse: bool,
) -> list[AttentionMap]:
    """Return a map for each source, the source's tokens in their own order.

    Parameters
    ----------
    weights : numpy.ndarray
        ``(n, max_length, source_len)``, from the generator.
    sources : sequence of token lists
    answers : sequence of id lists
        With END where an answer has ended.
    vocabulary : Vocabulary
        Of the answers.
    reverse : bool
        Whether the model has read the sources from their end.
    """
    maps = []
    for tokens, ids, looked in zip(sources, answers, weights, strict=True):
        columns = np.arange(len(tokens) + 1)
        if reverse:
            columns[:-1] = columns[:-1][::-1]  # the END of a source stays last
        answer = vocabulary.decode(ids)
        if END in ids:
            answer.append(SPECIAL_TOKENS[END])
        maps.append(
            AttentionMap(
                looked[: len(answer), columns],
                [*tokens, SPECIAL_TOKENS[END]],
                answer,
            )
        )
    return maps
