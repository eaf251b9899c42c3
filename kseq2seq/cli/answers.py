"""What a model answers, sequences or classes, each answer with its score."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from kseq2seq.answering import Hypothesis
from kseq2seq.answering.answer_stream import answer_stream
from kseq2seq.arguments import check_whole
from kseq2seq.cli.models import is_classifier, settings_of
from kseq2seq.search import SearchSettings

_OF_BEAMS = ("beam_size", "length_penalty", "coverage_penalty")
_OF_DRAWING = ("temperature", "top_k", "top_p")


def leave_out_other_search(estimator: Any, **given: Any) -> None:
    """Set back what a model says of its search that means nothing beside options.

    A temperature goes with no beam, and what is for beams with no temperature. Where
    options are given for both, the model says so when it is asked.
    """
    if is_classifier(estimator):
        return
    options = {name for name, value in given.items() if value is not None}
    other = _OF_BEAMS if "temperature" in options else _OF_DRAWING
    plain = vars(SearchSettings())
    if options:
        left_out = {n: plain[n] for n in other if n not in options}
        settings_of(estimator).set_params(**left_out)


def answers_of(
    estimator: Any,
    X: Iterator[Any],
    n_best: int | None = None,
    *,
    probabilities: bool = False,
) -> Iterator[list[Hypothesis]]:
    """Yield the answers to each source, one or the best ones, as sources come."""
    if is_classifier(estimator):
        n = 1 if n_best is None else n_best
        check_whole("--n-best", n, maximum=len(estimator.classes_))
        return answer_stream(
            X,
            lambda block, **_: best_classes(
                estimator, block, n, probabilities=probabilities
            ),
        )
    if n_best is None:
        found = estimator.predict_with_scores(X, probabilities=probabilities)
        return ([one] for one in found)
    return estimator.predict_n_best(X, n_best, probabilities=probabilities)


def best_classes(
    classifier: Any, X: list[Any], n: int = 1, *, probabilities: bool = False
) -> list[list[Hypothesis]]:
    """Return the n most probable classes of each source; scores are log-probabilities.

    Or probabilities. A class is a string, a number or a flag, as Python has it.
    """
    labels = classifier.classes_.tolist()
    ask = classifier.predict_proba if probabilities else classifier.predict_log_proba
    scores = ask(X)
    order = np.argsort(-scores, axis=1, kind="stable")[:, :n]
    return [
        [Hypothesis(labels[i], float(row[i])) for i in best]
        for row, best in zip(scores, order, strict=True)
    ]
