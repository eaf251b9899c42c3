"""The estimator's parameters as options of the command line, and what sets them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, get_args

import typer

from kseq2seq.arguments import check_choice
from kseq2seq.cli.config import NONE, Types, read_config
from kseq2seq.cli.data import check_file

_FORMS_OF_PAIRS = (
    ("pairs", "source", "target"),
    ("validation", "validation_source", "validation_target"),
)
"""Options that say the same in two ways."""
_FROM = "from"
"""An option that cannot be the name of a parameter in Python."""
_TYPES = {"str": str, "int": int, "float": float, "bool": bool}


def with_estimator_options(
    command: Callable[..., None], estimator: str = "Seq2SeqEstimator"
) -> Callable[..., None]:
    """Return the command with an option for every parameter of an estimator.

    The command must have the parameters ``parameters``, for a dict of all of them, and
    ``chosen``, for the names of those that are not left at their defaults. A parameter
    that the command has itself stays its own. Where it has ``preset`` and ``config``,
    what the command line does not set, the config sets, then the preset, then the
    defaults.
    """
    from kseq2seq.cli.backend import load_backend

    load_backend()
    from kseq2seq import estimators

    own = dict(inspect.signature(command, eval_str=True).parameters)
    del own["parameters"], own["chosen"]
    options = _options(getattr(estimators, estimator))
    added = {name: option for name, option in options.items() if name not in own}
    accepted = {name: _types(one.annotation) for name, one in (own | added).items()}
    for name in ("config", "json_line"):
        accepted.pop(name, None)
    if "from_model" in accepted:
        accepted[_FROM] = accepted.pop("from_model")

    def run(context: typer.Context, **arguments: Any) -> None:
        given = {
            name: value
            for name, value in arguments.items()
            if context.get_parameter_source(name).name != "DEFAULT"  # type: ignore[union-attr]
        }
        found = _settings(given, accepted)
        arguments |= found
        parameters = {name: arguments.pop(name) for name in added}
        command(
            **arguments,
            parameters=_with_arrays(parameters),
            chosen=[name for name in added if name in found],
        )

    context = inspect.Parameter(
        "context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context
    )
    signature = inspect.Signature([context, *own.values(), *added.values()])
    run.__signature__ = signature  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _settings(given: dict[str, Any], accepted: Mapping[str, Types]) -> dict[str, Any]:
    """Return what preset, config file and command line set, the last one first."""
    from kseq2seq.estimators import PRESETS

    config = read_config(given["config"], accepted) if "config" in given else {}
    if _FROM in config:
        config["from_model"] = config.pop(_FROM)
    for forms in _FORMS_OF_PAIRS:  # the pairs of the command line come before these
        if any(name in given for name in forms):
            config = {name: v for name, v in config.items() if name not in forms}
    preset = given.get("preset", config.get("preset"))
    if preset is None:
        return config | given
    check_choice("preset", preset, PRESETS)
    return PRESETS[preset] | config | given


def _options(estimator: type[Any]) -> dict[str, inspect.Parameter]:
    """Return an option for each parameter that is declared to be one."""
    from kseq2seq.declarations import about

    declared = about(estimator)
    return {
        name: inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=parameter.default,
            annotation=_annotation(str(parameter.annotation), _help(declared[name])),
        )
        for name, parameter in inspect.signature(estimator).parameters.items()
        if declared[name].from_files
    }


def _help(declared: Any) -> str:
    """Return the help of an option: its choices, if it has some, and what it does."""
    choices = declared.kind.partition(" or ")[0]
    listed = f"One of {choices[1:-1]}. " if choices.startswith("{") else ""
    return (listed + declared.doc).replace("`", "").replace('"', "")


def _annotation(annotation: str, help_text: str) -> Any:
    """Return an option of the first plain type, or of text; ``none`` for None."""
    names = annotation.split(" | ")
    kind = next((_TYPES[name] for name in names if name in _TYPES), None)
    plain = kind or str
    extra: dict[str, Any] = {"help": help_text}
    if "None" in names:
        extra |= {"parser": _or_none(plain), "metavar": f"<{plain.__name__}>"}
    option = typer.Option(**extra)
    # What no plain type describes may be a list or nothing in a config.
    more = (list, NoneType) if kind is None else ()
    return Annotated[plain | None if "None" in names else plain, option, more]


def _or_none(kind: type) -> Callable[[Any], Any]:
    """Return what reads a value of a kind, or none, from the command line."""

    def parse(value: Any) -> Any:
        if str(value).lower() == NONE:  # defaults come here too, None among them
            return None
        try:
            return kind(value)
        except ValueError:
            raise typer.BadParameter(
                f"{value!r} is neither of type {kind.__name__} nor {NONE!r}."
            ) from None

    return parse


def _types(annotation: Any) -> Types:
    """Return the types that a config may give an option."""
    kind, *others = get_args(annotation)
    listed = next((one for one in others if isinstance(one, tuple)), ())
    return tuple(dict.fromkeys((*(get_args(kind) or (kind,)), *listed)))


def _with_arrays(parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace the names of files of embeddings by what they hold."""
    import numpy as np

    values = dict(parameters)
    for name in ("source_embedding", "target_embedding"):
        if str(values.get(name)).endswith(".npy"):
            check_file(Path(values[name]))
            try:
                values[name] = np.load(values[name], allow_pickle=False)
            except (EOFError, ValueError):
                raise ValueError(
                    f"{name}: {values[name]} is no array of numbers, as numpy.save "
                    "writes it."
                ) from None
    return values
