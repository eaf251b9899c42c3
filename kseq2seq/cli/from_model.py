"""A fitted model that a training goes on from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kseq2seq.arguments import shown
from kseq2seq.cli.models import is_classifier, load_text_model, settings_of

_OF_GROWTH = ("extend_vocabulary", "max_length", "max_size", "min_frequency")
"""Parameters of the data that may change where a training goes on."""


def fitted_estimator(
    path: Path, chosen: Mapping[str, Any], *, features: str | None = None
) -> Any:
    """Return the estimator of a model file, set to learn more.

    Parameters
    ----------
    path : pathlib.Path
    chosen : mapping of str to object
        The parameters that take the place of the model's.
    features : str, optional
        What separates features in the new pairs.

    Raises
    ------
    ValueError
        When the file holds a classifier, or a model that is not of texts, or when a
        parameter would make another model of it.
    """
    estimator = load_text_model(path, features=features)
    if is_classifier(estimator):
        raise ValueError(
            f"{path} holds a {type(estimator).__name__}, which train is not for."
        )
    if settings_of(estimator) is not estimator:
        raise ValueError(
            f"{path} holds an ensemble, and training goes on from one estimator alone. "
            "Leave out --from to train a new ensemble (--ensemble)."
        )
    fixed = _fixed()
    for name, value in chosen.items():
        own = getattr(estimator, name)
        if name in fixed and not np.array_equal(own, value):
            raise ValueError(
                f"{name} is {shown(own)} in {path}, and must stay so where training "
                f"goes on from it; got {shown(value)}. Leave it out, or --from."
            )
    return estimator.set_params(**chosen, warm_start=True)


def _fixed() -> set[str]:
    """Return the parameters that a fitted model cannot change."""
    from kseq2seq.declarations import names
    from kseq2seq.estimators.settings import ModelSettings, TargetSettings

    of_model = {*names(ModelSettings), *names(TargetSettings)}
    return of_model.difference(_OF_GROWTH)
