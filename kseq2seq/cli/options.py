"""The estimator's parameters as options of the command line."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any

import typer

_NOT_OPTIONS = ("callbacks", "source_vocabulary", "target_vocabulary", "verbose")
_PANEL = "Parameters of the estimator"
_TYPES = {"str": str, "int": int, "float": float, "bool": bool}


def with_estimator_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return the command with an option for every parameter of the estimator.

    The command must have one parameter, ``parameters``; it gets a dict of all of them.
    """
    from kseq2seq.cli.backend import load_backend

    load_backend()
    from kseq2seq.estimators import Seq2SeqEstimator

    own = inspect.signature(command, eval_str=True).parameters
    added = _options(Seq2SeqEstimator)

    def run(**arguments: Any) -> None:
        parameters = {name: arguments.pop(name) for name in added}
        command(**arguments, parameters=_parsed(parameters))

    kept = [parameter for name, parameter in own.items() if name != "parameters"]
    signature = inspect.Signature([*kept, *added.values()])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _options(estimator: type[Any]) -> dict[str, inspect.Parameter]:
    helps = _parameter_helps(inspect.getdoc(estimator) or "")
    return {
        name: inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=parameter.default,
            annotation=Annotated[
                _option_type(str(parameter.annotation)),
                typer.Option(help=helps[name], rich_help_panel=_PANEL),
            ],
        )
        for name, parameter in inspect.signature(estimator).parameters.items()
        if name not in _NOT_OPTIONS
    }


def _option_type(annotation: str) -> Any:
    """Return the type of an option: the first plain type, or text."""
    names = annotation.split(" | ")
    found = next((_TYPES[name] for name in names if name in _TYPES), str)
    return found | None if "None" in names else found


def _parameter_helps(docstring: str) -> dict[str, str]:
    """Return the help of each parameter from a NumPy-style docstring."""
    section = docstring.split("Parameters\n----------\n")[1].split("\n\n")[0]
    helps = {}
    for head, body in re.findall(r"^(\S.*)\n((?:    .*\n?)+)", section, re.MULTILINE):
        for name in head.split(" : ")[0].split(", "):
            helps[name] = re.sub(r":\w+:|`", "", " ".join(body.split()))
    return helps


def _parsed(parameters: dict[str, Any]) -> dict[str, Any]:
    """Turn what only text can say into values: no attention, an embedding's file."""
    import numpy as np

    values = dict(parameters)
    if str(values["attention_kind"]).lower() == "none":
        values["attention_kind"] = None
    for name in ("source_embedding", "target_embedding"):
        if str(values[name]).endswith(".npy"):
            values[name] = np.load(values[name], allow_pickle=False)
    return values
