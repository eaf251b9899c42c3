"""From a model file to the estimator that it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kseq2seq import persistence
from kseq2seq.estimators.sequence_classifier import SequenceClassifier
from kseq2seq.estimators.seq2seq_estimator import Seq2SeqEstimator

_ESTIMATORS = {
    "Seq2SeqEstimator": Seq2SeqEstimator,
    "SequenceClassifier": SequenceClassifier,
}


def load(path: str | Path) -> Any:
    """Return the fitted estimator that a model file holds.

    Loading runs no code from the file.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    Seq2SeqEstimator or SequenceClassifier

    Raises
    ------
    ValueError
        When the file is no kseq2seq model, is damaged, or is of a newer format.
    OSError
        When it cannot be read.

    Examples
    --------
    >>> import kseq2seq
    >>> kseq2seq.load("no.kseq2seq")
    Traceback (most recent call last):
        ...
    FileNotFoundError: there is no file no.kseq2seq.
    """
    artifact = persistence.read_artifact(path)
    try:
        estimator = _ESTIMATORS[artifact.description["estimator"]]
        return estimator.from_artifact(artifact)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged: {str(error).rstrip('.')}. Train or copy the model "
            "again."
        ) from error
