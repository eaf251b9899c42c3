"""From a model file to the estimator that it holds."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from kseq2seq import _tensorflow, persistence
from kseq2seq.arguments import make_rng
from kseq2seq.declarations import checked, names
from kseq2seq.descriptions import check_description
from kseq2seq.estimators.base import SequenceEstimator
from kseq2seq.estimators.parameters_json import parameters_from_json
from kseq2seq.estimators.seq2seq_estimator import Seq2SeqEstimator
from kseq2seq.estimators.sequence_classifier import SequenceClassifier
from kseq2seq.estimators.weights import (
    check_arrays,
    set_frozen,
    set_seeds,
    set_weights,
)
from kseq2seq.training.optimizer_state import KeptOptimizer, OptimizerState

_E = TypeVar("_E", bound=SequenceEstimator)

_WRONG = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What values that mean nothing together may raise."""
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
    _tensorflow.check_can_run()
    with persistence.open_artifact(path) as artifact:
        name = artifact.description.get("estimator")
        if isinstance(name, str) and name not in _ESTIMATORS:
            raise ValueError(
                f"{path} holds an estimator of class {name}, and load knows "
                f"{' and '.join(_ESTIMATORS)}. Save one of these, or pickle a class of "
                "your own."
            )
        try:
            check_description(artifact.description)
            return _from_artifact(
                _ESTIMATORS[artifact.description["estimator"]], artifact
            )
        except _WRONG as error:
            if str(error).startswith(f"{path} is damaged"):
                raise
            raise persistence.damaged(path, error) from error


def _from_artifact(kind: type[_E], artifact: persistence.StoredArtifact) -> _E:
    """Return the fitted estimator of a class that a model file holds.

    Nothing is built, and no weight is read, before all sizes are known to fit.
    """
    description, arrays = artifact.description, artifact.arrays
    estimator = kind(**parameters_from_json(description["parameters"], arrays))
    _check_parameters(estimator)
    estimator._settings = estimator._model_settings()
    estimator._read_description(description)
    check_arrays(
        estimator._weight_shapes(),
        arrays.shapes,
        arrays.dtypes,
        parameters=[f"parameters/{name}" for name in description["parameters"]],
    )
    estimator.history_ = description["history"]
    state = OptimizerState.read(description, arrays)
    estimator._kept_optimizer = KeptOptimizer(state)
    models = estimator._build()
    estimator._adopt(models)
    set_weights(estimator._network, arrays)
    set_seeds(estimator._network, arrays)
    if "frozen" in description:  # the first files do not say
        set_frozen(models, set(description["frozen"]))
    estimator.callbacks_ = []
    return estimator


def _check_parameters(estimator: SequenceEstimator) -> None:
    """Raise for a parameter out of its range; what needs an extra may be used later."""
    for name in names(estimator):
        with suppress(ImportError):
            checked(estimator, name)
    make_rng(estimator.random_state)
