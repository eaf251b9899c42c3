"""Where answers looked: attention weights and the tokens of both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from kseq2seq.plotting.heatmap import attention_png
from kseq2seq.vocabulary import END, SPECIAL_TOKENS, UNK, Token, Vocabulary


class AttentionMap(NamedTuple):
    """Where an answer looked, in the order that ``plotting.plot_attention`` takes.

    A notebook shows it as that picture.

    Attributes
    ----------
    weights : numpy.ndarray
        ``(len(target_tokens), len(source_tokens))``, each row summing to 1.
    source_tokens : list of str or int
        The source's tokens, its features in brackets, as ``"[V]"``, and ``"<end>"``.
    target_tokens : list of str or int
        The answer's tokens and, where it ended, ``"<end>"``.
    """

    weights: np.ndarray
    source_tokens: list[Token]
    target_tokens: list[Token]

    def _repr_png_(self) -> bytes | None:
        """Return the picture for a notebook; None where there is nothing to draw."""
        return attention_png(*self) if self.weights.size else None


def attention_maps(
    weights: np.ndarray,
    sources: Sequence[list[Token]],
    answers: Sequence[list[int]],
    *,
    features: Sequence[list[str]],
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
    features : sequence of lists of str
        Those that stand beside each source; the model has read them after its tokens.
    vocabulary : Vocabulary
        Of the answers.
    reverse : bool
        Whether the model has read the sources from their end.
    """
    maps = []
    for tokens, beside, ids, looked in zip(
        sources, features, answers, weights, strict=True
    ):
        end = len(tokens) + len(beside)
        columns = [*_columns(tokens, reverse), *range(len(tokens), end + 1)]
        answer = vocabulary.decode(ids)
        if END in ids:
            answer.append(SPECIAL_TOKENS[END])
        maps.append(
            AttentionMap(
                looked[: len(answer), columns],
                [*tokens, *map("[{}]".format, beside), SPECIAL_TOKENS[END]],
                answer,
            )
        )
    return maps


def tokens_looked_at(
    weights: np.ndarray,
    sources: Sequence[list[Token]],
    answers: np.ndarray,
    *,
    reverse: bool,
) -> list[list[Token]]:
    """Return, for each UNK of each answer, the source token that it looked at most.

    A feature is no token of the source.

    Parameters
    ----------
    weights : numpy.ndarray
        ``(n, max_length, source_len)``, from the generator.
    sources : sequence of token lists
    answers : numpy.ndarray
        Ids ``(n, max_length)``.
    reverse : bool
        Whether the model has read the sources from their end.
    """
    found = []
    for tokens, ids, looked in zip(sources, answers, weights, strict=True):
        columns = _columns(tokens, reverse)
        steps = np.flatnonzero(ids == UNK)
        best = [int(looked[step, columns].argmax()) for step in steps if tokens]
        found.append([tokens[i] for i in best])
    return found


def _columns(tokens: Sequence[Token], reverse: bool) -> np.ndarray:
    """Return the column of each token of a source, without its features and END."""
    columns = np.arange(len(tokens))
    return columns[::-1] if reverse else columns
