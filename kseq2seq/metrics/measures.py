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
from kseq2seq.metrics.references import References

Pairs = list[tuple[list[Any], Any]]
"""The right answers to each source, one or several, and the prediction."""


def _pairs(y_true: Sequence[Any] | References, y_pred: Sequence[Any]) -> Pairs:
    """Return right answers and predictions side by side, or raise."""
    check_unmasked("y_true", y_true)
    check_unmasked("y_pred", y_pred)
    if len(y_true) != len(y_pred) or not len(y_true):
        raise ValueError(
            "metrics need at least one answer and as many predictions as answers; got "
            f"{len(y_true)} answers and {len(y_pred)} predictions."
        )
    return list(zip(References.of(y_true, y_pred), y_pred, strict=True))


def _as_tokens(sequence: Any) -> Sequence[Any]:
    return sequence if isinstance(sequence, str) else list(sequence)


def matches(y_true: Sequence[Any], y_pred: Sequence[Any]) -> np.ndarray:
    """Return, for each prediction, whether it is right to the last token.

    Parameters and errors as in :func:`exact_match`.

    Returns
    -------
    numpy.ndarray
        bool, ``(n,)``.
    """
    return np.array(
        [
            any(_as_tokens(answer) == _as_tokens(prediction) for answer in answers)
            for answers, prediction in _pairs(y_true, y_pred)
        ]
    )


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
        An item of `y_true` may be a list of several right answers; any of them will do.
    sample_weight : sequence of float, optional
        How much each pair counts.

    Examples
    --------
    >>> from kseq2seq.metrics import exact_match
    >>> exact_match(["ab", "c"], ["ab", "d"])
    0.5
    >>> exact_match([["ab", "ba"], "c"], ["ba", "d"])  # two right answers to the first
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
    string's tokens are its characters. Of several right answers the one with the
    largest share counts.

    Examples
    --------
    >>> from kseq2seq.metrics import token_accuracy
    >>> token_accuracy(["abcd"], ["abxdx"])
    0.6
    """
    pairs = _pairs(y_true, y_pred)
    weights = check_sample_weight(sample_weight, len(pairs)).astype(float)
    places = [_places(answers, prediction) for answers, prediction in pairs]
    total = weights @ [len(same) for same in places]
    return float(weights @ [sum(same) for same in places] / total) if total else 1.0


def _places(answers: list[Any], prediction: Any) -> list[bool]:
    """Return at which places a prediction is as the right answer is.

    As many as the longer of the two has; of several right answers, of the one with the
    largest share.
    """
    compared = []
    for answer in answers:
        same = [bool(a == b) for a, b in zip(answer, prediction, strict=False)]
        longest = max(len(answer), len(prediction))
        compared.append(same + [False] * (longest - len(same)))
    return max(compared, key=lambda same: sum(same) / len(same) if same else 1.0)


def accuracy_by_position(y_true: Sequence[Any], y_pred: Sequence[Any]) -> np.ndarray:
    """Return the share of right tokens at each position, 0 to 1.

    A position counts in each pair whose longer side has it, so that a token that is
    missing or too many is wrong there, as in :func:`token_accuracy`.

    Parameters
    ----------
    y_true, y_pred : sequences of str, of token lists, or of integers ``(n, len)``
        A string's tokens are its characters. Of several right answers the one counts
        that has most in common with the prediction.

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
    places = [_places(*pair) for pair in _pairs(y_true, y_pred)]
    longest = max(map(len, places))
    right, total = np.zeros(longest), np.zeros(longest)
    for same in places:
        right[: len(same)] += same
        total[: len(same)] += 1
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
        Of several right answers the nearest counts.
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
    pairs = _pairs(y_true, y_pred)
    weights = check_sample_weight(sample_weight, len(pairs)).astype(float)
    nearest = [_nearest(answers, prediction) for answers, prediction in pairs]
    edits = weights @ [distance for distance, _ in nearest]
    if normalize:
        tokens = weights @ [length for _, length in nearest]
        return float(edits / (tokens or 1.0))
    return float(edits / weights.sum())


def _nearest(answers: list[Any], prediction: Any) -> tuple[int, int]:
    """Return the edits to the nearest right answer, and how many tokens it has."""
    tokens = _as_tokens(prediction)
    distances = [Levenshtein.distance(_as_tokens(answer), tokens) for answer in answers]
    nearest = int(np.argmin(distances))
    return distances[nearest], len(answers[nearest])


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
    pair or not: weights must be 0, or all alike. Of several right answers, which a list
    in `y_true` holds, all count, as sacreBLEU counts them.
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
    pairs = _pairs(y_true, y_pred)
    weights = check_sample_weight(sample_weight, len(pairs))
    counts = weights > 0
    if len(set(weights[counts].tolist())) > 1:
        raise ValueError(
            f"{metric} is of a whole corpus, in which each pair counts once or not at "
            "all: expected sample_weight of 0 and one other value; got "
            f"{len(set(weights.tolist()))} values. Choose another metric."
        )
    answers, predictions = zip(*compress(pairs, counts), strict=True)
    return sacrebleu_score(metric, answers, predictions)[0]


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
        An item of `y_true` may be a list of several right answers.
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
    pairs = _pairs(y_true, y_pred)
    references = References([answers for answers, _ in pairs], of_texts=True)
    scorer = _scorer(metric, references, lowercase=lowercase)
    for text in y_pred:
        _check_text(metric, text)
    score = float(scorer.corpus_score(list(y_pred), references.columns()).score)
    return score, str(scorer.get_signature())


def signature(metric: str, y_true: Sequence[Any], *, lowercase: bool = False) -> str:
    """Return what sacreBLEU says of how it scores predictions of these answers.

    See :func:`sacrebleu_score` for the parameters, and for what is raised.
    """
    references = References(y_true, of_texts=True, name="y_true")
    scorer = _scorer(metric, references, lowercase=lowercase)
    # It does not know the number of references before: two sources tell of all.
    groups = sorted(references, key=len)
    sample = References([groups[0], groups[-1]], of_texts=True)
    scorer.corpus_score([group[0] for group in sample], sample.columns())
    return str(scorer.get_signature())


_LONGEST_RUN = 4
"""BLEU counts runs of so many tokens at most."""


def _scorer(metric: str, references: References, *, lowercase: bool) -> Any:
    """Return sacreBLEU's scorer for predictions of these answers."""
    check_choice("metric", metric, TEXT_METRICS)
    _check_sacrebleu()
    for text in references.flat:
        _check_text(metric, text)
    from sacrebleu.metrics import BLEU, CHRF

    if metric == "chrf":
        return CHRF(lowercase=lowercase)
    scorer = BLEU(lowercase=lowercase, max_ngram_order=_LONGEST_RUN)
    num_tokens = (len(scorer.tokenizer(text).split()) for text in references.flat)
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
    y_true: Sequence[Any] | References,
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
        An item of `y_true` may hold several right answers: a list of strings, or of
        token lists. Exact match takes any of them, edits are counted to the nearest,
        token accuracy is that of the best, and BLEU and chrF count all.
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
    >>> measure([["ab", "ba"], "c"], ["ba", "d"], ["exact_match"])
    {'exact_match': 0.5}
    """
    measured = {}
    references = References.of(y_true, y_pred)
    for name in check_metrics(metrics):
        if name in _ON_TEXTS:
            sides = references, y_pred
            measured[name] = _ON_TEXTS[name](*sides, sample_weight=sample_weight)
        else:
            split = references.mapped(tokens), tokens(y_pred)
            measured[name] = _ON_TOKENS[name](*split, sample_weight=sample_weight)
    return measured
