"""Scorers for scikit-learn's searches, which ask an estimator's own measure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.metadata_routing import MetadataRequest

from kseq2seq.arguments import check_choice
from kseq2seq.metrics.measures import METRICS, measure


class AnswerScorer:
    """A scorer for ``scoring`` in scikit-learn's searches.

    It asks the estimator's own `measure`, also at the end of a pipeline or inside a
    search, so that texts are prepared as in `score`; what has no `measure` is asked to
    predict, and its answers are compared as they are.

    Parameters
    ----------
    metric : str
        One of ``METRICS``.
    sign : {1, -1}, default 1
        -1 for a metric that is the lower, the better.
    """

    def __init__(self, metric: str, sign: int = 1) -> None:
        check_choice("metric", metric, METRICS)
        self.metric, self.sign = metric, sign
        self._request = MetadataRequest(owner=self)

    def __call__(
        self,
        estimator: Any,
        X: Any,
        y: Any,
        sample_weight: Sequence[float] | None = None,
    ) -> float:
        """Return how good an estimator's answers are: the more, the better."""
        inner, X = _innermost(estimator, X)
        if hasattr(inner, "measure"):
            measured = inner.measure(X, y, [self.metric], sample_weight=sample_weight)
        else:
            answers = inner.predict(X)
            measured = measure(y, answers, [self.metric], sample_weight=sample_weight)
        return float(self.sign * measured[self.metric])

    def set_score_request(self, *, sample_weight: bool | str | None) -> AnswerScorer:
        """Say whether weights are to reach this scorer, for metadata routing."""
        self._request.score.add_request(param="sample_weight", alias=sample_weight)
        return self

    def get_metadata_routing(self) -> MetadataRequest:
        """Return what scikit-learn's metadata routing is to hand over."""
        return self._request

    def _accept_sample_weight(self) -> bool:
        """Answer scikit-learn 1.9 and newer, which ask this of every scorer."""
        return True

    def __repr__(self) -> str:
        return f"AnswerScorer({self.metric!r}, sign={self.sign})"


def _innermost(estimator: Any, X: Any) -> tuple[Any, Any]:
    """Return what measures itself inside pipelines and searches, and what it gets."""
    while not hasattr(estimator, "measure"):
        if isinstance(estimator, Pipeline):
            X = estimator[:-1].transform(X) if len(estimator) > 1 else X
            estimator = estimator[-1]
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            break
    return estimator, X


exact_match_scorer = AnswerScorer("exact_match")
"""What ``score`` measures."""
bleu_scorer = AnswerScorer("bleu")
"""BLEU, of answers that are texts."""
neg_edit_distance_scorer = AnswerScorer("edit_distance", sign=-1)
"""The edit distance in tokens, below 0, so that more is better."""
