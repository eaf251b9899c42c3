"""Models of sequences with scikit-learn's fit, predict and score."""

from kseq2seq.answering import AttentionMap
from kseq2seq.estimators.backtests import Backtest
from kseq2seq.estimators.ensemble import Seq2SeqEnsemble
from kseq2seq.estimators.loading import load
from kseq2seq.estimators.presets import PRESETS
from kseq2seq.estimators.seq2seq_estimator import Seq2SeqEstimator
from kseq2seq.estimators.sequence_classifier import SequenceClassifier
from kseq2seq.estimators.sequence_forecaster import SequenceForecaster
from kseq2seq.estimators.sequence_regressor import SequenceRegressor

__all__ = [
    "PRESETS",
    "AttentionMap",
    "Backtest",
    "Seq2SeqEnsemble",
    "Seq2SeqEstimator",
    "SequenceClassifier",
    "SequenceForecaster",
    "SequenceRegressor",
    "load",
]
