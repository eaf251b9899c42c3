"""Keras's initializers and optimizers as JSON values, and back.

A configuration may hold numbers, strings, lists of these and objects of the few kinds
that are known here. Keras itself would make whatever class a configuration names.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from kseq2seq.arguments import nearest, shown


def _classes(module: Any, base: type, *without: str) -> dict[str, type]:
    """Return the classes of a module of Keras, but for the base, by their names."""
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, base)
        and value is not base
        and name not in without
    }


_INITIALIZERS = _classes(keras.initializers, keras.initializers.Initializer)
_OPTIMIZERS = _classes(
    keras.optimizers, keras.optimizers.Optimizer, "MultiOptimizer", "OptimizerMap"
)
_SCHEDULES = _classes(
    keras.optimizers.schedules, keras.optimizers.schedules.LearningRateSchedule
)
_KINDS = {"initializer": _INITIALIZERS, "optimizer": _OPTIMIZERS}
_INSIDE = {
    "inner_optimizer": ("keras.optimizers", _OPTIMIZERS),
    "learning_rate": ("keras.optimizers.schedules", _SCHEDULES),
    "seed": ("keras.random", {"SeedGenerator": keras.random.SeedGenerator}),
}
"""Which objects an entry of a configuration may be, with the module they are of."""
_LARGEST = 1e30
"""No number of a configuration is larger."""


def keras_object_to_json(name: str, value: Any) -> dict[str, Any]:
    """Return the JSON value of a parameter that is an object of Keras.

    Raises
    ------
    TypeError
        When it is code: a function, or an object of a class that is not Keras's.
    """
    for kind, classes in _KINDS.items():
        class_name = type(value).__name__
        is_kerass = type(value).__module__.partition(".")[0] == "keras"
        found = classes.get(class_name)
        if found is not None and issubclass(type(value), found) and is_kerass:
            config = value.get_config()
            config.pop("name", None)  # Keras counts: a second "adam" is "adam_1"
            try:
                _check_config(config)
            except ValueError as error:
                raise TypeError(
                    f"a model file cannot hold this {name}: {error}."
                ) from None
            return {kind: {"class_name": class_name, "config": config}}
    kinds = " or ".join(kind for kind in _KINDS if name.endswith(kind))
    instead = f"one of Keras's own {kinds}s" if kinds else "what has a name"
    raise TypeError(
        f"a model file holds no code, so this {name} cannot be saved: {value!r}. Use "
        f"{instead}, or pickle the estimator."
    )


def keras_object_from_json(kind: str, value: Mapping[str, Any]) -> Any:
    """Return what :func:`keras_object_to_json` was given.

    Raises
    ------
    ValueError
        When its class is not one of Keras's own, or its configuration makes none.
    """
    class_name, config = value["class_name"], value["config"]
    found: Any = None
    if isinstance(class_name, str):
        found = _KINDS[kind].get(class_name)
    if found is None:
        raise ValueError(f"unknown {kind} {shown(class_name)}")
    _check_config(config)
    try:
        restored = found.from_config(dict(config))
        if kind == "optimizer":
            _try(restored)
    except Exception as error:
        raise ValueError(f"{class_name} cannot be made of {config!r:.80}") from error
    return restored


def check_initializer_name(name: str) -> None:
    """Raise for the name of what is no initializer: Keras would look everywhere."""
    known = [*_INITIALIZERS, "normal", "one", "uniform", "zero"]
    if name not in known:
        raise ValueError(f"unknown initializer {name!r:.60}.{nearest(name, known)}")


def _check_config(config: Any) -> None:
    """Raise unless a configuration has numbers, strings and known objects."""
    if not isinstance(config, Mapping):
        raise ValueError(f"{shown(config)} is no configuration")
    for name, value in config.items():
        if not (_is_plain(value) or _is_list(value) or _is_array(value)):
            _check_object(name, value)


def _is_plain(value: Any) -> bool:
    if isinstance(value, float | int) and not isinstance(value, bool):
        return math.isfinite(value) and abs(value) < _LARGEST
    return isinstance(value, str | bool | type(None))


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(map(_is_plain, value))


def _is_array(value: Any) -> bool:
    """Whether this is an array of numbers, as Keras describes one."""
    if not isinstance(value, Mapping) or value.get("class_name") != "__numpy__":
        return False
    config = value.get("config")
    try:
        numbers = np.array(config["value"])  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        return False
    dtypes = ("float16", "float32", "float64", "int32", "int64")
    return numbers.dtype.kind in "if" and config.get("dtype") in dtypes  # type: ignore[union-attr]


def _check_object(name: str, value: Any) -> None:
    """Raise unless an entry is an object that may stand there."""
    module, classes = _INSIDE.get(name, ("", {}))
    known = (
        isinstance(value, Mapping)
        and set(value) == {"module", "class_name", "config", "registered_name"}
        and value["module"] == module
        and isinstance(value["class_name"], str)
        and value["class_name"] in classes
        and value["registered_name"] is None
    )
    if not known:
        raise ValueError(f"{name} cannot be {shown(value)}")
    _check_config(value["config"])


def _try(optimizer: keras.optimizers.Optimizer) -> None:
    """Raise what the optimizer raises on a weight of its own."""
    weight = keras.Variable(np.ones((2, 2), np.float32))
    optimizer = type(optimizer).from_config(optimizer.get_config())
    optimizer.build([weight])
    optimizer.apply([keras.ops.ones((2, 2))], [weight])
