"""The description in a model file, held to its types before anything is made of it.

Nothing heavy is imported here: ``kseq2seq info`` shows a description without a backend.
What values mean to each other is checked where they are used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kseq2seq.arguments import check_whole, shown

Check = Callable[[str, Any], None]
_LARGEST = 2**63 - 1
FEWEST_MEMBERS, MOST_MEMBERS = 2, 100
"""How many models make an ensemble; a file's directory has room for no more."""


def check_description(description: Mapping[str, Any]) -> None:
    """Raise unless each value of a description is of its type.

    Raises
    ------
    ValueError
        The message names the value by its path.
    """
    _check_entries("", description, _DESCRIPTION, _OPTIONAL)


def check_training(training: Any) -> None:
    """Raise unless each value of a checkpoint's ``"training"`` is of its type.

    Raises
    ------
    ValueError
        The message names the value by its path.
    """
    optional = {"objective": _list_of(str), "precision": _text}
    _check_entries("training", training, _TRAINING, optional)
    optional = {"of": _whole, "stopped": _flag}
    _check_entries("training/state", training["state"], _STATE, optional)


def check_rng_state(path: str, value: Any) -> None:
    """Raise unless a random generator can take up this state."""
    try:
        np.random.default_rng(0).bit_generator.state = value
    except (AttributeError, KeyError, OverflowError, TypeError, ValueError):
        raise _wrong(path, "the state of a random generator", value) from None


def _wrong(path: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"{path} must be {expected}; got {shown(value)}")


def _check_entries(
    path: str,
    value: Any,
    required: Mapping[str, Check],
    optional: Mapping[str, Check],
) -> None:
    """Check the entries of a dict, those that must and those that may be there."""
    if not isinstance(value, dict):
        raise _wrong(path, "entries by name", value)
    start = f"{path}/" if path else ""
    for name, check in required.items():
        if name not in value:
            raise ValueError(f"{start}{name} is missing")
        check(f"{start}{name}", value[name])
    for name, check in optional.items():
        if name in value:
            check(f"{start}{name}", value[name])


def _is(kind: type, expected: str) -> Check:
    def check(path: str, value: Any) -> None:
        if type(value) is not kind:
            raise _wrong(path, expected, value)

    return check


_text, _flag = _is(str, "a string"), _is(bool, "true or false")
_dict, _list = _is(dict, "entries by name"), _is(list, "a list")


def _whole(path: str, value: Any) -> None:
    if type(value) is not int or not 0 <= value <= _LARGEST:
        raise _wrong(path, "a whole number", value)


def _number(path: str, value: Any) -> None:
    if type(value) not in (int, float) or abs(value) == float("inf"):
        raise _wrong(path, "a number", value)
    try:
        float(value)
    except OverflowError:
        raise _wrong(path, "a number", value) from None


def _or_none(check: Check) -> Check:
    return lambda path, value: None if value is None else check(path, value)


def _list_of(*kinds: type) -> Check:
    def check(path: str, value: Any) -> None:
        _list(path, value)
        for item in value:
            if type(item) not in kinds:
                names = " or ".join(kind.__name__ for kind in kinds)
                raise _wrong(path, f"a list of {names}", item)

    return check


def _each(check: Check) -> Check:
    def check_all(path: str, value: Any) -> None:
        _dict(path, value)
        for name, item in value.items():
            check(f"{path}/{name}"[:60], item)

    return check_all


def _with_entries(required: Mapping[str, Check]) -> Check:
    return lambda path, value: _check_entries(path, value, required, {})


def _numbers(path: str, value: Any) -> None:
    _list(path, value)
    for item in value:
        _number(path, item)


_PLAIN = (str, int, float, bool, type(None))


def _parameter(path: str, value: Any) -> None:
    """Check a parameter: plain, a list of what is plain, or an object by its kind."""
    if isinstance(value, dict):
        if len(value) != 1:
            raise _wrong(path, "one object", value)
    elif isinstance(value, list):
        _list_of(*_PLAIN)(path, value)


def _tokenizer(path: str, value: Any) -> None:
    is_subwords = isinstance(value, dict) and list(map(type, value.values())) == [str]
    if not isinstance(value, str | type(None)) and not is_subwords:
        raise _wrong(path, "a tokenizer", value)


_SIDE: dict[str, Check] = {
    "kind": _text,
    "tokenizer": _tokenizer,
    "tokens": _list_of(str, int),
    "unknown": _text,
    "width": _or_none(_whole),
    "reverse": _flag,
    "lowercase": _flag,
    "unicode_normalization": _or_none(_text),
}


_FEATURES: dict[str, Check] = {
    "tokens": _list_of(str),
    "ids": _list_of(int),
    "unknown_id": _whole,
}


def _features(path: str, value: Any) -> None:
    _check_entries(path, value, _FEATURES, {})


def _side(path: str, value: Any) -> None:
    optional = {"saw_empty": _flag, "features": _features}
    _check_entries(path, value, _SIDE, optional)


def _remembered(path: str, value: Any) -> None:
    """Check what a callback remembered: a number, numbers by name, or arrays."""
    if not isinstance(value, dict):
        if not isinstance(value, int | float | type(None)):
            raise _wrong(path, "what a callback remembers", value)
    elif "numbers" in value:
        _each(_remembered)(f"{path}/numbers", value["numbers"])
    else:
        required = {"arrays": _list_of(str), "listed": _flag}
        _check_entries(path, value, required, {})
        if not value["arrays"]:
            raise _wrong(f"{path}/arrays", "the names of arrays", value["arrays"])


_MEMBER: dict[str, Check] = {
    "parameters": _each(_parameter),
    "num_weights": _whole,
    "history": _each(_numbers),
    "max_length": _whole,
    "forbidden_ids": _list_of(int),
    "frozen": _list_of(str),
}


def _num_members(path: str, value: Any) -> None:
    check_whole(path, value, minimum=FEWEST_MEMBERS, maximum=MOST_MEMBERS)


def _members(path: str, value: Any) -> None:
    _list(path, value)
    _num_members(f"the number of {path}", len(value))
    for i, member in enumerate(value):
        _check_entries(f"{path}/{i}", member, _MEMBER, {})


def _scale(path: str, value: Any) -> None:
    _check_entries(path, value, {"mean": _numbers, "deviation": _numbers}, {})


_SOURCE_VALUES: dict[str, Check] = {
    "num_features": _whole,
    "has_gaps": _flag,
    "allows_nan": _flag,
}
_TARGET_VALUES: dict[str, Check] = {
    "ndim": _whole,
    "horizon": _whole,
    "num_targets": _whole,
    "allows_nan": _flag,
}
_SCALING: dict[str, Check] = {
    "kind": _or_none(_text),
    "source": _scale,
    "target": _scale,
}


def _values(path: str, value: Any) -> None:
    """Check how an estimator of real values says that its data are given."""
    required = {
        "source": _with_entries(_SOURCE_VALUES),
        "target": _with_entries(_TARGET_VALUES),
        "scaling": _with_entries(_SCALING),
    }
    _check_entries(path, value, required, {"columns": _whole})


_SERIES: dict[str, Check] = {
    "kind": _text,
    "num_targets": _whole,
    "covariate_names": _list_of(str),
    "given_names": _list_of(str),
    "num_known": _whole,
    "num_static": _whole,
    "history": _whole,
    "horizon": _whole,
    "seasons": _list_of(int),
    "base_season": _or_none(_whole),
    "has_gaps": _flag,
    "allows_nan": _flag,
    "frequency": _parameter,
    "scaling": _or_none(_text),
    "targets": _scale,
    "covariates": _scale,
    "static": _scale,
    "names": _list_of(str, int),
    "last_times": _list_of(str, int),
}


def _series(path: str, value: Any) -> None:
    _check_entries(path, value, _SERIES, {"num_base_seasons": _whole})


_ENSEMBLE: dict[str, Check] = {
    "n_estimators": _num_members,
    "random_state": _or_none(_whole),
}


def _ensemble(path: str, value: Any) -> None:
    _check_entries(path, value, _ENSEMBLE, {})


_DESCRIPTION: dict[str, Check] = {
    "estimator": _text,
    "parameters": _each(_parameter),
    "num_weights": _whole,
    "history": _each(_numbers),
    "arrays": _dict,
}
_OPTIONAL: dict[str, Check] = {
    "source": _side,
    "target": _side,
    "classes": _list_of(str, int, float, bool),
    "classes_dtype": _text,
    "max_length": _whole,
    "forbidden_ids": _list_of(int),
    "calibration_temperature": _number,
    "dropout": _number,
    "optimizer": _dict,
    "frozen": _list_of(str),
    "training": _dict,
    "ensemble": _ensemble,
    "values": _values,
    "series": _series,
    "members": _members,
}
_TRAINING: dict[str, Check] = {
    "began": check_rng_state,
    "data": _text,
    "state": _dict,
}
_STATE: dict[str, Check] = {
    "epochs": _whole,
    "ended": _flag,
    "history": _each(_numbers),
    "batches": check_rng_state,
    "callbacks": _each(_each(_remembered)),
}
