"""The directive ``parameters``: an estimator's parameters, by what they concern.

It reads the declarations from which the estimator has its constructor, so that the page
cannot differ from the code. ``:beside: Other`` leaves out what Other has with the same
default.
"""

import inspect
import re
from collections.abc import Iterator

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import kseq2seq
from kseq2seq.declarations import About, about, ending

MOST_SHOWN = 600
"""Characters of a signature that are worth reading as a sentence."""

GROUPS = {
    "Data and tokens": ("SourceSettings", "TargetSettings", "SeriesSettings"),
    "Model": ("kseq2seq.builders", "ModelSettings"),
    "Training": ("kseq2seq.training", "ClassifierSettings"),
    "Search and answers": ("kseq2seq.search", "kseq2seq.answering"),
}
"""By title: the modules, or the ends of the names of classes, that declare them."""


class Parameters(SphinxDirective):
    """One definition list for each group of parameters."""

    required_arguments = 1
    option_spec = {"beside": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return the lists, each under its title."""
        estimator = getattr(kseq2seq, self.arguments[0])
        known = _parameters(getattr(kseq2seq, self.options.get("beside", ""), None))
        by_group: dict[str, list[str]] = {}
        for name, parameter in _parameters(estimator).items():
            if name not in known or known[name].default != parameter.default:
                entry = _entry(parameter, about(estimator)[name])
                by_group.setdefault(_group(estimator, name), []).append(entry)
        lines = [
            f"**{title}**\n\n" + "\n".join(by_group[title])
            for title in [*GROUPS, "Every run"]
            if title in by_group
        ]
        return self.parse_text_to_nodes("\n\n".join(lines))


def _parameters(estimator: type | None) -> dict[str, inspect.Parameter]:
    """Return an estimator's parameters by name; none of no estimator."""
    return {} if estimator is None else dict(inspect.signature(estimator).parameters)


def _entry(parameter: inspect.Parameter, declared: About) -> str:
    """Return an item of a definition list in Markdown."""
    doc = re.sub(r":\w+:`([^`]*)`", r"``\1``", declared.doc)
    kind = declared.kind.replace("*", r"\*")
    return f"`{parameter.name}` — {kind}{ending(parameter)}\n: {doc}\n"


def _group(estimator: type, name: str) -> str:
    """Return the title of the group in which a parameter was declared first."""
    *_, home = (cls for cls in estimator.__mro__ if name in _own(cls))
    if home.__name__ == "RunSettings":
        return "Every run"
    for title, homes in GROUPS.items():
        if home.__module__.startswith(homes) or home.__name__.endswith(homes):
            return title
    return "Data and tokens"


def _own(cls: type) -> Iterator[str]:
    declared = about(cls) if hasattr(cls, "__dataclass_fields__") else {}
    return (name for name in inspect.get_annotations(cls) if name in declared)


def _shorten(
    app: Sphinx, what: str, name: str, obj: object, options: object, *shown: str | None
) -> tuple[str, str | None] | None:
    """Return an ellipsis for parameters that would fill half of a page."""
    signature, annotation = shown
    return ("(...)", annotation) if len(signature or "") > MOST_SHOWN else None


def _skip(
    app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object
) -> bool | None:
    """Leave out what groups of parameters have for those who train and search."""
    home = getattr(getattr(obj, "fget", obj), "__module__", None) or ""
    return True if home.endswith((".settings", ".options")) else None


def _keep_underscores(
    app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Escape attributes that end so, which would be links, and part those in a row."""
    lines[:] = [one for line in lines for one in _escaped(line)]


def _escaped(line: str) -> list[str]:
    """Return the lines that take the place of one."""
    attributes = re.match(r":(ivar|vartype) ([\w, ]+_):(.*)", line)
    if attributes is None:
        return [line]
    field, names, text = attributes.groups()
    return [f":{field} {name[:-1]}\\_:{text}" for name in names.split(", ")]


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive, and what shortens the reference."""
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")  # before what is done to its lines
    app.add_directive("parameters", Parameters)
    app.connect("autodoc-process-docstring", _keep_underscores, priority=900)
    app.connect("autodoc-process-signature", _shorten)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True}
