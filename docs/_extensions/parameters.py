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
from kseq2seq.declarations import about

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
        known = _defaults(getattr(kseq2seq, self.options.get("beside", ""), None))
        by_group: dict[str, list[str]] = {}
        for name, default in _defaults(estimator).items():
            if name not in known or known[name] != default:
                entry = _entry(name, default, about(estimator)[name])
                by_group.setdefault(_group(estimator, name), []).append(entry)
        lines = [
            f"**{title}**\n\n" + "\n".join(by_group[title])
            for title in [*GROUPS, "Every run"]
            if title in by_group
        ]
        return self.parse_text_to_nodes("\n\n".join(lines))


def _defaults(estimator: type | None) -> dict[str, str]:
    if estimator is None:
        return {}
    parameters = inspect.signature(estimator).parameters
    return {name: repr(each.default) for name, each in parameters.items()}


def _entry(name: str, default: str, declared: object) -> str:
    """Return an item of a definition list in Markdown."""
    doc = re.sub(r":\w+:`([^`]*)`", r"``\1``", declared.doc)
    default = "" if default == repr(inspect.Parameter.empty) else f", default {default}"
    return f"`{name}` — {declared.kind.replace('*', chr(92) + '*')}{default}\n: {doc}\n"


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


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the directive, and what shortens the reference."""
    app.setup_extension("sphinx.ext.autodoc")
    app.add_directive("parameters", Parameters)
    app.connect("autodoc-process-signature", _shorten)
    app.connect("autodoc-skip-member", _skip)
    return {"parallel_read_safe": True}
