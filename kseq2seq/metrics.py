"""How good answers are: exact match, token accuracy, edit distance, BLEU and chrF."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from kseq2seq.arguments import check_sample_weight


def _check_pairs(y_true: Sequence[Any], y_pred: Sequence[Any]) -> None:
    if len(y_true) != len(y_pred) or not len(y_true):
        raise ValueError(
            "metrics need at least one answer and as many predictions as answers; got "
            f"{len(y_true)} answers and {len(y_pred)} predictions."
        )


def _as_tokens(sequence: Any) -> Sequence[Any]:
    return sequence if isinstance(sequence, str) else list(sequence)


def matches(y_true: Sequence[Any], y_pred: Sequence[Any]) -> np.ndarray:
    """Return, for each prediction, whether it is right to the last token.

    Returns
    -------
    numpy.ndarray
        bool, ``(n,)``.
    """
    _check_pairs(y_true, y_pred)
    pairs = zip(y_true, y_pred, strict=True)
    return np.array([_as_tokens(a) == _as_tokens(b) for a, b in pairs])


def exact_match(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    *,
    sample_weight: Sequence[float] | None = None,
) -> float:
    """Return the share of predictions that are right to the last token, 0 to 1.

    Parameters
    ----------
    y_true, y_pred : sequences of str, of token lists, or of integers ``(n, len)``
    sample_weight : sequence of float, optional
        How much each pair counts.

    Examples
    --------
    >>> from kseq2seq.metrics import exact_match
    >>> exact_match(["ab", "c"], ["ab", "d"])
    0.5
    """
    right = matches(y_true, y_pred)
    weights = check_sample_weight(sample_weight, len(right))
    return float(np.average(right, weights=weights))


def token_accuracy(y_true: Sequence[Any], y_pred: Sequence[Any]) -> float:
    """Return the share of tokens that stand right at their position, 0 to 1.

    Each pair counts as many tokens as the longer of the two; a string's tokens are its
    characters.

    Examples
    --------
    >>> from kseq2seq.metrics import token_accuracy
    >>> token_accuracy(["abcd"], ["abxdx"])
    0.6
    """
    _check_pairs(y_true, y_pred)
    right = total = 0
    for answer, prediction in zip(y_true, y_pred, strict=True):
        right += sum(a == b for a, b in zip(answer, prediction, strict=False))
        total += max(len(answer), len(prediction))
    return right / total if total else 1.0


def edit_distance(
    y_true: Sequence[Any], y_pred: Sequence[Any], *, normalize: bool = False
) -> float:
    """Return the mean Levenshtein distance, in tokens (characters, for strings).

    Parameters
    ----------
    y_true, y_pred : sequences of str or of token lists
    normalize : bool, default False
        Whether to divide the edits by the answers' tokens: the token error rate.

    Examples
    --------
    >>> from kseq2seq.metrics import edit_distance
    >>> edit_distance(["kitten", "a"], ["sitting", "a"])
    1.5
    """
    _check_pairs(y_true, y_pred)
    edits = sum(
        Levenshtein.distance(_as_tokens(a), _as_tokens(b))
        for a, b in zip(y_true, y_pred, strict=True)
    )
    tokens = sum(map(len, y_true))
    return edits / max(tokens, 1) if normalize else edits / len(y_true)


def bleu(y_true: Sequence[str], y_pred: Sequence[str]) -> float:
    """Return sacreBLEU's corpus BLEU, 0 to 100 (needs the ``text`` extra)."""
    return _sacrebleu_score("BLEU", y_true, y_pred)


def chrf(y_true: Sequence[str], y_pred: Sequence[str]) -> float:
    """Return sacreBLEU's corpus chrF, 0 to 100 (needs the ``text`` extra)."""
    return _sacrebleu_score("CHRF", y_true, y_pred)


def _sacrebleu_score(
    metric: str, y_true: Sequence[str], y_pred: Sequence[str]
) -> float:
    _check_pairs(y_true, y_pred)
    try:
        import sacrebleu.metrics
    except ImportError as error:
        raise ImportError(
            "BLEU and chrF need the 'text' extra: pip install 'kseq2seq[text]'."
        ) from error
    scorer = getattr(sacrebleu.metrics, metric)()
    return float(scorer.corpus_score(list(y_pred), [list(y_true)]).score)
