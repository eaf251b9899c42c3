"""A fitted estimator as what a model file holds, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from kseq2seq.codec import SequenceCodec
from kseq2seq.declarations import names
from kseq2seq.estimators.parameters_json import (
    parameters_from_json,
    parameters_to_json,
)
from kseq2seq.estimators.weights import (
    WEIGHTS,
    check_sizes,
    seeds_of,
    set_seeds,
    set_weights,
    weights_of,
)
from kseq2seq.persistence import Artifact
from kseq2seq.training.optimizer_state import KeptOptimizer, OptimizerState

if TYPE_CHECKING:
    from kseq2seq.estimators.base import SequenceEstimator

_E = TypeVar("_E", bound="SequenceEstimator")


def to_artifact(
    estimator: SequenceEstimator, *, include_optimizer: bool = False
) -> Artifact:
    """Return what a model file holds of a fitted estimator.

    The parameters that shape the models are those of the fit, whatever `set_params`
    did since.
    """
    saved = sorted(names(estimator, in_files=True))
    parameters = {name: getattr(estimator, name) for name in saved}
    described, arrays = parameters_to_json(parameters | estimator._settings)
    description = {
        "estimator": type(estimator).__name__,
        "parameters": described,
        **estimator._description(),
        "num_weights": estimator._network.count_params(),
        "history": estimator.history_,
    }
    arrays |= weights_of(estimator._network)
    if include_optimizer:
        state = estimator._kept_optimizer.state
        description["optimizer"] = state.kind
        arrays |= {**state.arrays, **seeds_of(estimator._network)}
    return Artifact(description, arrays)


def from_artifact(kind: type[_E], artifact: Artifact) -> _E:
    """Return the fitted estimator of a class that a model file holds."""
    description, arrays = artifact.description, artifact.arrays
    estimator = kind(**parameters_from_json(description["parameters"], arrays))
    estimator._settings = estimator._model_settings()
    estimator._read_description(description)
    sides = {"source": estimator._source, "target": estimator._target}
    check_sizes(
        estimator._settings,
        {s: c.num_ids for s, c in sides.items() if isinstance(c, SequenceCodec)},
        {name: array for name, array in arrays.items() if name.startswith(WEIGHTS)},
    )
    estimator.history_ = description["history"]
    state = OptimizerState.read(description, arrays)
    estimator._kept_optimizer = KeptOptimizer(state)
    estimator._adopt(estimator._build())
    set_weights(estimator._network, arrays)
    set_seeds(estimator._network, arrays)
    estimator.callbacks_ = []
    return estimator
