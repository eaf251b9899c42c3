"""What a model file holds of an estimator, from its description to fitted models."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from kseq2seq import _tensorflow, persistence
from kseq2seq.arguments import make_rng
from kseq2seq.declarations import checked, names
from kseq2seq.descriptions import check_description
from kseq2seq.estimators.base import SequenceEstimator
from kseq2seq.estimators.parameters_json import parameters_from_json
from kseq2seq.estimators.weights import (
    check_arrays,
    set_frozen,
    set_seeds,
    set_weights,
)
from kseq2seq.persistence import StoredArrays, StoredArtifact
from kseq2seq.training.optimizer_state import KeptOptimizer, OptimizerState

_E = TypeVar("_E", bound=SequenceEstimator)
Reader = Callable[[StoredArtifact], Any]
"""Returns the fitted estimator that an open file holds."""

_WRONG = (AttributeError, KeyError, OverflowError, TypeError, ValueError)
"""What values that mean nothing together may raise."""


def read_stored(path: str | Path, readers: Mapping[str, Reader]) -> Any:
    """Return the fitted estimator that a model file holds.

    Parameters
    ----------
    path : str or path
    readers : mapping of str to callable
        What reads each class of estimators that the file may hold.

    Raises
    ------
    ValueError, OSError, RuntimeError
        As :func:`kseq2seq.load`.
    """
    _tensorflow.check_can_run()
    with persistence.open_artifact(path) as artifact:
        name = artifact.description.get("estimator")
        if isinstance(name, str) and name not in readers:
            raise ValueError(
                f"{path} holds an estimator of class {name}; expected "
                f"{' or '.join(readers)}. Save one of these, or pickle a class of your "
                "own."
            )
        try:
            check_description(artifact.description)
            return readers[artifact.description["estimator"]](artifact)
        except _WRONG as error:
            if str(error).startswith(f"{path} is damaged"):
                raise
            raise persistence.damaged(path, error) from error


def read_estimator(kind: type[_E], artifact: StoredArtifact) -> _E:
    """Return the fitted estimator of a class that a model file holds.

    Nothing is built, and no weight is read, before all sizes are known to fit.
    """
    description, arrays = artifact.description, artifact.arrays
    values = parameters_from_json(description["parameters"], arrays)
    estimator = described_estimator(kind, values, description["history"])
    estimator._read_description(description)
    check_stored_arrays(estimator, description, arrays)
    estimator._take_own_arrays(arrays)
    return fit_to_arrays(estimator, description, arrays)


def described_estimator(
    kind: type[_E], parameters: Mapping[str, Any], history: dict[str, list[float]]
) -> _E:
    """Return an estimator of a file's parameters, without its codecs and models."""
    estimator = kind(**parameters)
    for name in names(estimator):
        with suppress(ImportError):  # what needs an extra may be used later
            checked(estimator, name)
    make_rng(estimator.random_state)
    estimator._note_settings()
    estimator.history_ = history
    return estimator


def check_stored_arrays(
    estimator: SequenceEstimator, description: Mapping[str, Any], arrays: StoredArrays
) -> None:
    """Raise unless these are the arrays of a described estimator."""
    check_arrays(
        estimator._weight_shapes(),
        arrays.shapes,
        arrays.dtypes,
        parameters=[
            *(f"parameters/{name}" for name in description["parameters"]),
            *estimator._own_array_names,
        ],
    )


def fit_to_arrays(
    estimator: _E, description: Mapping[str, Any], arrays: StoredArrays
) -> _E:
    """Build the models of a described estimator, and give them their weights."""
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
