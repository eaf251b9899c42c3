"""An estimator's parameters as JSON and arrays, and back; code never goes in or out."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kseq2seq.codec import as_vocabulary
from kseq2seq.tokenizer_files import tokenizer_from_json, tokenizer_to_json

_PLAIN = (str, int, float, bool, type(None))
_KERAS_OBJECTS = {
    "initializer": (keras.initializers, keras.initializers.Initializer),
    "optimizer": (keras.optimizers, keras.optimizers.Optimizer),
}


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
        if isinstance(value, np.ndarray):
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
            described[name] = _keras_object_to_json(name, value)
    return described, arrays


def _plain(value: Any) -> Any:
    """Return a Python value for one of numpy's."""
    return value.item() if isinstance(value, np.generic) else value


def _is_plain_list(value: Any) -> bool:
    """Whether this is a list of what JSON has a word for."""
    return isinstance(value, list | tuple) and all(
        isinstance(item, _PLAIN) for item in value
    )


def _keras_object_to_json(name: str, value: Any) -> dict[str, Any]:
    for kind, (module, _) in _KERAS_OBJECTS.items():
        class_name = type(value).__name__
        found = getattr(module, class_name, None)
        is_kerass = type(value).__module__.partition(".")[0] == "keras"
        if inspect.isclass(found) and issubclass(type(value), found) and is_kerass:
            config = value.get_config()
            config.pop("name", None)  # Keras counts: a second "adam" is "adam_1"
            return {kind: {"class_name": class_name, "config": config}}
    kinds = " or ".join(kind for kind in _KERAS_OBJECTS if name.endswith(kind))
    instead = f"one of Keras's own {kinds}s" if kinds else "what has a name"
    raise TypeError(
        f"a model file holds no code, so this {name} cannot be saved: {value!r}. Use "
        f"{instead}, or pickle the estimator."
    )


def parameters_from_json(
    described: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Return what :func:`parameters_to_json` was given.

    Raises
    ------
    ValueError
        When a class is not one of Keras's own.
    """
    return {
        name: _from_json(value, arrays) if isinstance(value, dict) else value
        for name, value in described.items()
    }


def _from_json(value: dict[str, Any], arrays: Mapping[str, np.ndarray]) -> Any:
    if "array" in value:
        return arrays[value["array"]]
    if "tokenizer" in value:
        return tokenizer_from_json(value["tokenizer"])
    if "tokens" in value:
        return value["tokens"]
    if "items" in value:
        return dict(value["items"])
    for kind, (module, base) in _KERAS_OBJECTS.items():
        if kind in value:
            class_name, config = value[kind]["class_name"], value[kind]["config"]
            found = getattr(module, class_name, None)
            if inspect.isclass(found) and issubclass(found, base):
                restore: Any = found
                return restore.from_config(config)
            raise ValueError(f"unknown {kind} {class_name!r}")
    raise ValueError(f"unknown kind of parameter {sorted(value)}")
