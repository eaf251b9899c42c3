"""Model files as the command line opens them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kseq2seq.cli.backend import load_backend


def described(model: Path) -> dict[str, Any]:
    """Return what a model file says of itself, its values checked."""
    from kseq2seq.descriptions import check_description
    from kseq2seq.persistence import damaged, read_description

    description = read_description(model)
    try:
        check_description(description)
    except ValueError as error:
        raise damaged(model, error) from error
    return description


def load_text_model(path: Path, *, features: str | None, **search: Any) -> Any:
    """Load a model that answers text with text, or with classes.

    The parameters of the search that are not None take the place of the model's. What
    separates features must be given for a model that reads some, and for no other.
    """
    description = described(path)
    if "series" in description:
        raise ValueError(
            f"{path} forecasts time series: kseq2seq forecast SERIES.csv --model {path}"
        )
    sides = [description[side] for side in ("source", "target") if side in description]
    if {side["kind"] for side in sides} != {"text"}:
        raise ValueError(
            f"{path} does not answer text with text; use it from Python: "
            f"kseq2seq.load({str(path)!r})."
        )
    reads_features = "features" in description.get("source", {})
    if reads_features and features is None:
        raise ValueError(
            f"{path} reads features beside its sources: pass --features SEPARATOR, "
            "what separates them in their column, such as ';'."
        )
    if features is not None and not reads_features:
        raise ValueError(
            f"--features is for models that read features, and {path} reads sources "
            "alone. Leave it out."
        )
    return load_model(path, **search)


def load_model(path: Path, **search: Any) -> Any:
    """Load a model of any kind; for the search see :func:`load_text_model`."""
    load_backend()
    from kseq2seq.estimators import load

    given = {name: value for name, value in search.items() if value is not None}
    estimator = load(path)
    settings = settings_of(estimator)
    for name in given:
        if name not in settings.get_params():
            raise ValueError(
                f"--{name.replace('_', '-')} is for models that answer with sequences, "
                f"and {path} holds a {type(estimator).__name__}. Leave it out."
            )
    settings.set_params(**given)
    return estimator


def settings_of(estimator: Any) -> Any:
    """Return what has the settings of an estimator: of an ensemble, its own one."""
    return getattr(estimator, "estimator", estimator)


def members_of(estimator: Any) -> list[Any]:
    """Return the models that were trained: those of an ensemble, or the one."""
    return getattr(estimator, "estimators_", [estimator])


def is_classifier(estimator: Any) -> bool:
    """Whether a model answers with classes."""
    return hasattr(estimator, "classes_")
