"""Settings of a training from a TOML file, and a model's settings as one."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from enum import EnumType
from pathlib import Path
from types import NoneType
from typing import Any

from kseq2seq.arguments import nearest, quoted_choices, shown
from kseq2seq.cli.data import check_file

NONE = "none"
"""How the command line and a config say None, which TOML has no word for."""
Types = tuple[Any, ...]
_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    Path: "a file's path",
    list: "a list",
    NoneType: repr(NONE),
}
NOT_IN_CONFIGS = (
    *("source_vocabulary", "target_vocabulary", "feature_vocabulary"),
    *("callbacks", "loss", "metrics", "verbose", "warm_start"),
)
"""The parameters that are declared to be no options.

Written out, as a file is described without the declarations, which load a backend.
"""


def read_config(path: Path, accepted: Mapping[str, Types]) -> dict[str, Any]:
    """Return the options that a TOML file sets, by name.

    Parameters
    ----------
    path : path
    accepted : mapping of str to tuple of type
        The options that there are, and what their values may be.

    Raises
    ------
    ValueError
        When the file is no TOML, or a name or a value is not accepted; the message
        names the file and the line.
    OSError
        When the file cannot be read.
    """
    check_file(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a TOML file: {error}.") from None
    except RecursionError:
        raise ValueError(f"{path} is nested too deeply for a config.") from None
    return {
        name: _checked(name, value, accepted, _place(path, text, name))
        for name, value in found.items()
    }


def _place(path: Path, text: str, name: str) -> str:
    """Return the file and, where it is found, the line that sets a name."""
    key = re.compile(rf"\s*\[*\s*[\"']?{re.escape(name)}\b")
    lines = enumerate(text.splitlines(), 1)
    number = next((number for number, line in lines if key.match(line)), None)
    return f"{path}, line {number}" if number else str(path)


def _checked(name: str, value: Any, accepted: Mapping[str, Types], place: str) -> Any:
    """Return the value in the type that the option has, or raise."""
    if name not in accepted:
        raise ValueError(
            f"{place}: train has no option {name!r}.{nearest(name, accepted)}"
        )
    if NoneType in accepted[name] and value == NONE:
        return None
    for kind in accepted[name]:
        if type(value) is kind or (kind is float and type(value) is int):
            return kind(value)
        if isinstance(kind, EnumType) and value in list(kind):
            return kind(value)
        if kind is Path and isinstance(value, str):
            return Path(value)
    expected = " or ".join(_expected(kind) for kind in accepted[name])
    raise ValueError(f"{place}: {name} must be {expected}; got {shown(value)}.")


def _expected(kind: Any) -> str:
    if isinstance(kind, EnumType):
        return quoted_choices(str(choice) for choice in list[Any](kind))
    return _NAMES[kind]


def config_lines(parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield a model's parameters, as its description has them, as lines of TOML.

    What only Python can pass, such as an array, becomes a comment.
    """
    for name, value in parameters.items():
        if isinstance(value, dict) and isinstance(value.get("tokenizer"), str):
            value = value["tokenizer"]
        if isinstance(value, dict):
            yield f"# {name}: given in Python ({', '.join(value)})"
        elif name not in NOT_IN_CONFIGS:
            yield f"{name} = {_toml(value)}"


def _toml(value: Any) -> str:
    """Return a JSON value as TOML, which writes these in the same way."""
    text = json.dumps(NONE if value is None else value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")
