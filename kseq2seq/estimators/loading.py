"""From a model file to the estimator that it holds."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from kseq2seq.estimators.ensemble import MEMBER_READERS
from kseq2seq.estimators.sequence_classifier import SequenceClassifier
from kseq2seq.estimators.sequence_forecaster import SequenceForecaster
from kseq2seq.estimators.sequence_regressor import SequenceRegressor
from kseq2seq.estimators.stored import Reader, read_estimator, read_stored

_READERS: dict[str, Reader] = {
    **MEMBER_READERS,
    "SequenceClassifier": partial(read_estimator, SequenceClassifier),
    "SequenceForecaster": partial(read_estimator, SequenceForecaster),
    "SequenceRegressor": partial(read_estimator, SequenceRegressor),
}


def load(path: str | Path) -> Any:
    """Return the fitted estimator that a model file holds.

    Loading runs no code from the file.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Seq2SeqEstimator, Seq2SeqEnsemble, or an estimator whose name begins with Sequence

    Raises
    ------
    ValueError
        When the file is no kseq2seq model, is damaged, or is of a newer format.
    OSError
        When it cannot be read.
    RuntimeError
        In a process that was forked after TensorFlow had run in its parent.

    Examples
    --------
    >>> import kseq2seq
    >>> kseq2seq.load("no.kseq2seq")
    Traceback (most recent call last):
        ...
    FileNotFoundError: there is no file no.kseq2seq.
    """
    return read_stored(path, _READERS)
