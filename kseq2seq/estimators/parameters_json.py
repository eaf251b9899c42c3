"""An estimator's parameters as JSON and arrays, and back; code never goes in or out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from kseq2seq.arguments import shown
from kseq2seq.codec import as_vocabulary
from kseq2seq.estimators.keras_objects import (
    check_initializer_name,
    keras_object_from_json,
    keras_object_to_json,
)
from kseq2seq.tokenizer_files import tokenizer_from_json, tokenizer_to_json

_PLAIN = (str, int, float, bool, type(None))


def parameters_to_json(
    parameters: Mapping[str, Any],
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return JSON values for the parameters, and the arrays that they refer to.

    Raises
    ------
    TypeError
        When a value is code: a function, or an object of a class that is not Keras's.
    """
    described: dict[str, Any] = {}
    arrays: dict[str, np.ndarray] = {}
    for name, value in parameters.items():
        value = _plain(value)
        if isinstance(value, np.ndarray) and value.dtype.kind != "O":
            arrays[f"parameters/{name}"] = value
            described[name] = {"array": f"parameters/{name}"}
        elif isinstance(value, np.random.Generator | np.random.RandomState):
            described[name] = None
        elif name.endswith("tokenizer"):
            described[name] = {"tokenizer": tokenizer_to_json(value)}
        elif isinstance(value, _PLAIN):
            described[name] = value
        elif name.endswith("vocabulary"):
            described[name] = {"tokens": as_vocabulary(name, value).tokens}
        elif isinstance(value, Mapping):
            described[name] = {
                "items": [[*map(_plain, item)] for item in value.items()]
            }
        elif _is_plain_list(value):
            described[name] = list(value)
        else:
            described[name] = keras_object_to_json(name, value)
    return described, arrays


def _plain(value: Any) -> Any:
    """Return a Python value for one of numpy's."""
    return value.item() if isinstance(value, np.generic) else value


def _is_plain_list(value: Any) -> bool:
    """Whether this is a list of what JSON has a word for."""
    return isinstance(value, list | tuple) and all(
        isinstance(item, _PLAIN) for item in value
    )


def parameters_from_json(
    described: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Return what :func:`parameters_to_json` was given.

    Raises
    ------
    ValueError
        When a value is none of what it returns.
    """
    return {name: _from_json(name, value, arrays) for name, value in described.items()}


def _from_json(name: str, value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, str) and name.endswith("initializer"):
        check_initializer_name(value)
    if isinstance(value, _PLAIN) or _is_plain_list(value):
        return value
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"{name} cannot be {shown(value)}")
    ((kind, inner),) = value.items()
    if kind == "array" and inner == f"parameters/{name}":
        return arrays[inner]
    if kind == "tokenizer" and name.endswith("tokenizer"):
        return tokenizer_from_json(inner)
    if kind == "tokens" and name.endswith("vocabulary"):
        return as_vocabulary(name, inner).tokens
    if kind == "items" and name == "class_weight":
        return dict(inner)
    if kind in ("initializer", "optimizer") and name.endswith(kind):
        return keras_object_from_json(kind, inner)
    raise ValueError(f"{name} cannot be {shown(value)}")
