"""How good answers are: exact match, token accuracy, edit distance, BLEU, chrF."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import partial
from itertools import compress
from typing import Any

import numpy as np
from rapidfuzz.distance import Levenshtein

from kseq2seq.arguments import (
    check_choice,
    check_sample_weight,
    check_unmasked,
    quoted_choices,
    shown,
    written,
)


def _check_pairs(y_true: Sequence[Any], y_pred: Sequence[Any]) -> None:
    check_unmasked("y_true", y_true)
    check_unmasked("y_pred", y_pred)
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


def token_accuracy(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    *,
    sample_weight: Sequence[float] | None = None,
) -> float:
    """Return the share of tokens that stand right at their position, 0 to 1.

    Each pair counts as many tokens as the longer of the two, times its weight; a
    string's tokens are its characters.

    Examples
    --------
    >>> from kseq2seq.metrics import token_accuracy
    >>> token_accuracy(["abcd"], ["abxdx"])
    0.6
    """
    _check_pairs(y_true, y_pred)
    weights = check_sample_weight(sample_weight, len(y_true)).astype(float)
    pairs = list(zip(y_true, y_pred, strict=True))
    right = [sum(a == b for a, b in zip(*pair, strict=False)) for pair in pairs]
    total = weights @ [max(map(len, pair)) for pair in pairs]
    return float(weights @ right / total) if total else 1.0


def accuracy_by_position(y_true: Sequence[Any], y_pred: Sequence[Any]) -> np.ndarray:
    """Return the share of right tokens at each position, 0 to 1.

    A position counts in each pair whose longer side has it, so that a token that is
    missing or too many is wrong there, as in :func:`token_accuracy`.

    Parameters
    ----------
    y_true, y_pred : sequences of str, of token lists, or of integers ``(n, len)``
        A string's tokens are its characters.

    Returns
    -------
    numpy.ndarray
        float64, ``(longest,)``, for the positions of the longest answer or prediction.

    Examples
    --------
    >>> from kseq2seq.metrics import accuracy_by_position
    >>> accuracy_by_position(["ab", "cd"], ["ab", "cxd"])
    array([1. , 0.5, 0. ])
    """
    _check_pairs(y_true, y_pred)
    pairs = list(zip(y_true, y_pred, strict=True))
    longest = max(max(len(a), len(b)) for a, b in pairs)
    right, total = np.zeros(longest), np.zeros(longest)
    for answer, prediction in pairs:
        same = [a == b for a, b in zip(answer, prediction, strict=False)]
        right[: len(same)] += same
        total[: max(len(answer), len(prediction))] += 1
    return right / total


def edit_distance(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    *,
    normalize: bool = False,
    sample_weight: Sequence[float] | None = None,
) -> float:
    """Return the mean Levenshtein distance, in tokens (characters, for strings).

    Parameters
    ----------
    y_true, y_pred : sequences of str or of token lists
    normalize : bool, default False
        Whether to divide the edits by the answers' tokens: the token error rate.
    sample_weight : sequence of float, optional
        How much each pair counts.

    Examples
    --------
    >>> from kseq2seq.metrics import edit_distance
    >>> edit_distance(["kitten", "a"], ["sitting", "a"])
    1.5
    """
    _check_pairs(y_true, y_pred)
    weights = check_sample_weight(sample_weight, len(y_true)).astype(float)
    edits = weights @ [
        Levenshtein.distance(_as_tokens(a), _as_tokens(b))
        for a, b in zip(y_true, y_pred, strict=True)
    ]
    if normalize:
        tokens = weights @ [len(answer) for answer in y_true]
        return float(edits / (tokens or 1.0))
    return float(edits / weights.sum())


def bleu(
    y_true: Sequence[str],
    y_pred: Sequence[str],
    *,
    sample_weight: Sequence[float] | None = None,
) -> float:
    """Return sacreBLEU's corpus BLEU, 0 to 100 (needs the ``text`` extra).

    Where no right answer has four tokens, words and punctuation as sacreBLEU splits
    them, runs of tokens longer than the predictions do not count (sacreBLEU's effective
    order): perfect answers of one word have 100, and not 0. A corpus score counts a
    pair or not: weights must be 0, or all alike.
    """
    return _corpus_score("bleu", y_true, y_pred, sample_weight)


def chrf(
    y_true: Sequence[str],
    y_pred: Sequence[str],
    *,
    sample_weight: Sequence[float] | None = None,
) -> float:
    """Return sacreBLEU's corpus chrF, 0 to 100; as :func:`bleu` otherwise."""
    return _corpus_score("chrf", y_true, y_pred, sample_weight)


def _corpus_score(
    metric: str, y_true: Sequence[str], y_pred: Sequence[str], sample_weight: Any
) -> float:
    """Return the score of the pairs whose weight is above 0."""
    _check_pairs(y_true, y_pred)
    weights = check_sample_weight(sample_weight, len(y_true))
    counts = weights > 0
    if len(set(weights[counts].tolist())) > 1:
        raise ValueError(
            f"{metric} is of a whole corpus, in which each pair counts once or not at "
            "all: expected sample_weight of 0 and one other value; got "
            f"{len(set(weights.tolist()))} values. Choose another metric."
        )
    counted = (list(compress(side, counts)) for side in (y_true, y_pred))
    return sacrebleu_score(metric, *counted)[0]


def has_sacrebleu() -> bool:
    """Whether BLEU and chrF can be measured."""
    return importlib.util.find_spec("sacrebleu") is not None


def _check_sacrebleu() -> None:
    if not has_sacrebleu():
        raise ImportError(
            "BLEU and chrF need the 'text' extra: pip install 'kseq2seq[text]'."
        )


def sacrebleu_score(
    metric: str,
    y_true: Sequence[str],
    y_pred: Sequence[str],
    *,
    lowercase: bool = False,
) -> tuple[float, str]:
    """Return sacreBLEU's score and the signature that says how it was made.

    Parameters
    ----------
    metric : {"bleu", "chrf"}
    y_true, y_pred : sequences of str
    lowercase : bool, default False
        Whether capitals count as small letters; the signature says so.

    Returns
    -------
    score, signature : float and str
        The score is from 0 to 100. The signature of BLEU has ``eff:yes`` where no right
        answer has four tokens, and runs that are longer than predictions do not count.

    Raises
    ------
    ImportError
        When the ``text`` extra is missing.

    Examples
    --------
    >>> from kseq2seq.metrics import sacrebleu_score
    >>> texts = ["A small dog runs over the grass."]
    >>> score, signature = sacrebleu_score("chrf", texts, texts, lowercase=True)
    >>> round(score, 2), signature.split("|")[:2]
    (100.0, ['nrefs:1', 'case:lc'])
    """
    _check_pairs(y_true, y_pred)
    scorer = _scorer(metric, y_true, lowercase=lowercase)
    for text in y_pred:
        _check_text(metric, text)
    score = float(scorer.corpus_score(list(y_pred), [list(y_true)]).score)
    return score, str(scorer.get_signature())


def signature(metric: str, y_true: Sequence[str], *, lowercase: bool = False) -> str:
    """Return what sacreBLEU says of how it scores predictions of these answers.

    See :func:`sacrebleu_score` for the parameters, and for what is raised.
    """
    _check_pairs(y_true, y_true)
    sample = list(y_true[:1])
    scorer = _scorer(metric, y_true, lowercase=lowercase)
    scorer.corpus_score(sample, [sample])  # it does not know its references before
    return str(scorer.get_signature())


_LONGEST_RUN = 4
"""BLEU counts runs of so many tokens at most."""


def _scorer(metric: str, y_true: Sequence[str], *, lowercase: bool) -> Any:
    """Return sacreBLEU's scorer for predictions of these answers."""
    check_choice("metric", metric, TEXT_METRICS)
    _check_sacrebleu()
    for text in y_true:
        _check_text(metric, text)
    from sacrebleu.metrics import BLEU, CHRF

    if metric == "chrf":
        return CHRF(lowercase=lowercase)
    scorer = BLEU(lowercase=lowercase, max_ngram_order=_LONGEST_RUN)
    num_tokens = (len(scorer.tokenizer(text).split()) for text in y_true)
    scorer.effective_order = not any(num >= _LONGEST_RUN for num in num_tokens)
    return scorer


def _check_text(metric: str, text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{metric} is of texts; got {shown(text)}.")


_ON_TEXTS: dict[str, Callable[..., float]] = {
    "exact_match": exact_match,
    "bleu": bleu,
    "chrf": chrf,
}
_ON_TOKENS: dict[str, Callable[..., float]] = {
    "token_accuracy": token_accuracy,
    "edit_distance": edit_distance,
    "token_error_rate": partial(edit_distance, normalize=True),
}
METRICS = (*_ON_TEXTS, *_ON_TOKENS)
"""The names that :func:`measure` knows."""
TEXT_METRICS = ("bleu", "chrf")
"""Those of texts alone."""
FALLING_METRICS = ("edit_distance", "token_error_rate")
"""Those that are the lower, the better."""
DEFAULT_METRICS = ("exact_match", "token_accuracy", "edit_distance")


def check_metrics(metrics: Sequence[str]) -> tuple[str, ...]:
    """Return the names as a tuple, or raise unless each is known and can be had."""
    if isinstance(metrics, str) or not isinstance(metrics, Sequence) or not metrics:
        raise TypeError(
            f"metrics must be a list of {quoted_choices(METRICS)}; got "
            f"{written(metrics)}."
        )
    for name in metrics:
        check_choice("metrics", name, METRICS)
    if not set(TEXT_METRICS).isdisjoint(metrics):
        _check_sacrebleu()
    return tuple(metrics)


def measure(
    y_true: Sequence[Any],
    y_pred: Sequence[Any],
    metrics: Sequence[str] = DEFAULT_METRICS,
    *,
    tokens: Callable[[Sequence[Any]], Sequence[Any]] = list,
    sample_weight: Sequence[float] | None = None,
) -> dict[str, float]:
    """Return metrics by name.

    Parameters
    ----------
    y_true, y_pred : sequences of str or of token lists
    metrics : sequence of str
        Of ``"exact_match"``, ``"token_accuracy"``, ``"edit_distance"``,
        ``"token_error_rate"`` (edits over the answers' tokens), ``"bleu"``, ``"chrf"``.
    tokens : callable, optional
        Splits a list of texts into token lists, for the metrics that count tokens;
        they stay as they are when not given.
    sample_weight : sequence of float, optional
        How much each pair counts. For BLEU and chrF, whether it does: 0, or one other
        value.

    Returns
    -------
    dict of str to float

    Examples
    --------
    >>> from kseq2seq.metrics import measure
    >>> measure(["ab", "c"], ["ab", "d"], ["exact_match", "edit_distance"])
    {'exact_match': 0.5, 'edit_distance': 0.5}
    """
    measured = {}
    for name in check_metrics(metrics):
        if name in _ON_TEXTS:
            sides = y_true, y_pred
            measured[name] = _ON_TEXTS[name](*sides, sample_weight=sample_weight)
        else:
            split = tokens(y_true), tokens(y_pred)
            measured[name] = _ON_TOKENS[name](*split, sample_weight=sample_weight)
    return measured
