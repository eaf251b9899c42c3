"""From a model file to the estimator that it holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kseq2seq import persistence
from kseq2seq.estimators.model_file import from_artifact
from kseq2seq.estimators.seq2seq_estimator import Seq2SeqEstimator
from kseq2seq.estimators.sequence_classifier import SequenceClassifier

_ESTIMATORS = {kind.__name__: kind for kind in (Seq2SeqEstimator, SequenceClassifier)}


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
        return from_artifact(_ESTIMATORS[artifact.description["estimator"]], artifact)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged: {str(error).rstrip('.')}. Train or copy the model "
            "again."
        ) from error
