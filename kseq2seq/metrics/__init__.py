"""How good answers are: exact match, edit distance, BLEU, chrF; errors of forecasts."""

from kseq2seq.metrics.calibration import expected_calibration_error
from kseq2seq.metrics.forecasts import coverage, mase, msis, seasonal_scale, smape
from kseq2seq.metrics.measures import (
    DEFAULT_METRICS,
    FALLING_METRICS,
    METRICS,
    TEXT_METRICS,
    accuracy_by_position,
    bleu,
    check_metrics,
    chrf,
    edit_distance,
    exact_match,
    has_sacrebleu,
    matches,
    measure,
    sacrebleu_score,
    signature,
    token_accuracy,
)
from kseq2seq.metrics.references import References
from kseq2seq.metrics.scorers import (
    AnswerScorer,
    bleu_scorer,
    exact_match_scorer,
    neg_edit_distance_scorer,
)

__all__ = [
    "DEFAULT_METRICS",
    "FALLING_METRICS",
    "METRICS",
    "TEXT_METRICS",
    "AnswerScorer",
    "References",
    "accuracy_by_position",
    "bleu",
    "bleu_scorer",
    "check_metrics",
    "chrf",
    "coverage",
    "edit_distance",
    "exact_match",
    "exact_match_scorer",
    "expected_calibration_error",
    "has_sacrebleu",
    "mase",
    "matches",
    "measure",
    "msis",
    "neg_edit_distance_scorer",
    "sacrebleu_score",
    "seasonal_scale",
    "signature",
    "smape",
    "token_accuracy",
]
