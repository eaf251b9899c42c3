"""Parameters declared once: default, range, type and documentation in one place.

A group of parameters is a class whose annotations are :func:`setting`. Estimators
inherit groups, and get from them their constructor and their documentation; what
trains, searches or builds takes a group as a value. The command line reads its options,
and a model file what it keeps, from the same declarations.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable, Mapping
from itertools import groupby
from typing import Any, TypeVar, dataclass_transform

from kseq2seq.arguments import nearest, shown, written

_T = TypeVar("_T")
_WIDTH = 80
"""The columns of a composed docstring."""


@dataclasses.dataclass(frozen=True)
class About:
    """What is declared of a parameter beside its name, annotation and default.

    Attributes
    ----------
    kind : str
        Type and range, as the documentation shows them.
    doc : str
        What it does; plain sentences.
    check : callable, optional
        From name and value to the value as a plain number; raises where it is out of
        range. Not asked about None where None is allowed.
    from_files : bool
        Whether the command line and its configs have it as an option.
    in_files : bool
        Whether model files keep it.
    of_training : bool
        Whether training depends on it.
    of_first_fit : bool
        Whether the first fit decides it for those that continue with the fitted model,
        beside what shapes the model.
    """

    kind: str
    doc: str
    check: Callable[..., Any] | None = None
    from_files: bool = True
    in_files: bool = True
    of_training: bool = True
    of_first_fit: bool = False


def setting(
    kind: str,
    doc: str,
    check: Callable[..., Any] | None = None,
    *,
    default: Any,
    from_files: bool = True,
    in_files: bool = True,
    of_training: bool = True,
    of_first_fit: bool = False,
) -> Any:
    """Declare a parameter of a group; see :class:`About` for what is said of it."""
    about = About(
        kind,
        " ".join(doc.split()),
        check,
        from_files=from_files,
        in_files=in_files,
        of_training=of_training,
        of_first_fit=of_first_fit,
    )
    return dataclasses.field(default=default, metadata={"about": about})


def one_of(choices: Iterable[str], other: str = "") -> str:
    """Return the kind of a parameter that is one of several names, or something other.

    Examples
    --------
    >>> from kseq2seq.declarations import one_of
    >>> one_of(["lstm", "gru"], "callable")
    '{"lstm", "gru"} or callable'
    """
    quoted = ", ".join(f'"{choice}"' for choice in choices)
    return f"{{{quoted}}} or {other}" if other else f"{{{quoted}}}"


@dataclass_transform(
    kw_only_default=True, eq_default=False, field_specifiers=(setting,)
)
def settings(cls: type[_T]) -> type[_T]:
    """Make a class a group of parameters, which all are keyword arguments.

    A parameter that a base declares may get another default by ``name: type = value``;
    the rest of its declaration stays.
    """
    for name in inspect.get_annotations(cls):
        declared = _field(cls.__mro__[1:], name)
        value = vars(cls).get(name)
        if declared is not None and not isinstance(value, dataclasses.Field):
            redeclared = dataclasses.field(default=value, metadata=declared.metadata)
            setattr(cls, name, redeclared)
    made = dataclasses.dataclass(kw_only=True, eq=False, repr=False)(cls)
    made.__init__ = _by_known_names(made.__init__)  # type: ignore[method-assign]
    return made


def _by_known_names(init: Callable[..., None]) -> Callable[..., None]:
    """Return a constructor that names the class and the nearest parameter in errors."""
    known = list(inspect.signature(init).parameters)[1:]

    @functools.wraps(init)
    def __init__(self: Any, *values: Any, **given: Any) -> None:
        owner = type(self).__name__
        if values:
            raise TypeError(
                f"{owner} takes parameters by name, as in {owner}({known[0]}=...); got "
                f"{shown(values[0])} without one."
            )
        for name in given:
            if name not in known:
                raise TypeError(unknown_parameter(owner, name, known))
        _check_no_other_defaults(type(self), known)
        init(self, **given)

    return __init__


def unknown_parameter(owner: str, name: str, known: Iterable[str]) -> str:
    """Return what is said of a parameter that there is not."""
    return f"{owner} has no parameter {written(name)}.{nearest(name, known)}"


def _check_no_other_defaults(cls: type, known: Iterable[str]) -> None:
    """Raise for a subclass with an attribute that looks like another default.

    Constructors of groups are made when the group is; they do not look at it.
    """
    for one in cls.__mro__:
        if "__dataclass_fields__" in vars(one):
            return
        for name in known:
            if name in vars(one):
                raise TypeError(
                    f"{one.__name__}.{name} is no default, as constructors are not "
                    f"made from attributes. Write def __init__(self, {name}="
                    f"{vars(one)[name]!r:.30}, **others): super().__init__({name}="
                    f"{name}, **others)."
                )


def _field(classes: tuple[type, ...], name: str) -> Any:
    """Return the declaration of a parameter in the first of the classes that has it."""
    for one in classes:
        found = vars(one).get("__dataclass_fields__", {}).get(name)
        if found is not None:
            return found
    return None


def about(group: Any) -> dict[str, About]:
    """Return what is declared of each parameter of a group, class or value."""
    fields = dataclasses.fields(group)
    return {f.name: f.metadata["about"] for f in fields if "about" in f.metadata}


def names(group: Any, **wanted: bool) -> list[str]:
    """Return the parameters of a group of which these things are declared."""
    return [
        name
        for name, declared in about(group).items()
        if all(getattr(declared, what) is value for what, value in wanted.items())
    ]


def taken(group: type[_T], holder: Any, **changes: Any) -> _T:
    """Return a group with its values taken from a holder that has the same parameters.

    Parameters
    ----------
    group : type
    holder : object
        An estimator, or another value that has all parameters of the group.
    **changes : object
        Values in place of the holder's.
    """
    values = {f.name: getattr(holder, f.name) for f in dataclasses.fields(group)}  # type: ignore[arg-type]
    return group(**values | changes)


def checked(group: Any, *only: str) -> dict[str, Any]:
    """Return the checked values of a group, of all parameters or of those named.

    Raises
    ------
    ValueError, TypeError
        When a value is out of the range that is declared for it.
    """
    values = {}
    for field in dataclasses.fields(group):
        declared, value = field.metadata.get("about"), getattr(group, field.name)
        if (only and field.name not in only) or declared is None:
            continue
        is_allowed_none = value is None and "None" in str(field.type)
        if declared.check is not None and not is_allowed_none:
            value = declared.check(field.name, value)
        values[field.name] = value
    return values


def documented(*groups: type) -> Callable[[_T], _T]:
    """Return a decorator that writes the parameters into a docstring.

    The docstring of the class or the function has a line ``{parameters}``, which
    becomes an entry for each parameter of its signature, as the groups declare it (a
    class is a group itself). Parameters that follow each other with one description
    share an entry.
    """

    def document(owner: _T) -> _T:
        text = inspect.cleandoc(owner.__doc__ or "")
        declared: dict[str, About] = {}
        for group in (*groups, *([owner] if inspect.isclass(owner) else [])):
            declared |= about(group)
        parameters = inspect.signature(owner).parameters  # type: ignore[arg-type]
        entries = _entries(parameters, declared)
        owner.__doc__ = text.replace("{parameters}", entries)
        return owner

    return document


def _entries(
    parameters: Mapping[str, inspect.Parameter], declared: Mapping[str, About]
) -> str:
    """Return the entries of a NumPy-style section of parameters."""
    entries = []
    known = [name for name in parameters if name in declared]
    for (kind, doc), group in groupby(
        known, lambda name: (declared[name].kind, declared[name].doc)
    ):
        shared = list(group)
        endings = [ending(parameters[name]) for name in shared]
        end = endings[0]
        if len(set(endings)) > 1:
            defaults = (_shown(parameters[name].default) for name in shared)
            end = f", defaults {', '.join(defaults)}"
        head = f"{', '.join(shared)} : {kind}{end}"
        body = textwrap.fill(
            doc,
            _WIDTH,
            initial_indent="    ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        entries.append(f"{head}\n{body}")
    return "\n".join(entries)


def ending(parameter: inspect.Parameter) -> str:
    """Return what an entry's first line says of None and of the default."""
    default, allows_none = parameter.default, "None" in str(parameter.annotation)
    if default is None or default is inspect.Parameter.empty:
        return ", optional" if allows_none else ""
    return f"{' or None' if allows_none else ''}, default {_shown(default)}"


def _shown(default: Any) -> str:
    """Return a default as the documentation writes it."""
    is_whole = isinstance(default, float) and default.is_integer()
    return f"{default:g}" if is_whole else repr(default).replace("'", '"')
