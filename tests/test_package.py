"""The floors of the design, and what importing costs."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kseq2seq

PACKAGE = Path(kseq2seq.__file__).parent
FLOORS = [
    {
        "_keras_import",
        "arguments",
        "declarations",
        "_tensorflow",
        "file_locks",
        "persistence",
        "zip_members",
    },
    {"metrics", "plotting", "tokenizers", "tokenizer_files", "descriptions"},
    {"vocabulary", "ragged", "codec", "layers", "datasets"},
    {"batching", "builders", "search", "word_vectors"},
    {"training", "generation"},
    {"answering"},
    {"estimators"},
    {"cli"},
    {"__main__"},
]
# Within a floor: the vocabulary has the ids that all others use; a codec gives its ids
# ragged; persistence locks what it writes; a model file is a zip, and its tokenizers
# are those that there are; accuracies by position are measured and drawn; errors of
# constructors are worded as all others.
WITHIN = {
    ("declarations", "arguments"),
    ("persistence", "file_locks"),
    ("persistence", "zip_members"),
    ("tokenizer_files", "tokenizers"),
    ("plotting", "metrics"),
    ("layers", "vocabulary"),
    ("ragged", "vocabulary"),
    ("codec", "vocabulary"),
    ("codec", "ragged"),
}


def imports(path):
    """Return what a file imports, at its top and inside functions, as dotted names."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
            if node.module == "kseq2seq":
                names |= {f"kseq2seq.{alias.name}" for alias in node.names}
    return names


def test_changelog_and_citation_are_of_this_version():
    root = Path(__file__).parents[1]
    version = kseq2seq.__version__
    newest = re.search(r"## \[(\d.*?)\] - (\S+)", (root / "CHANGELOG.md").read_text())
    cited = (root / "CITATION.cff").read_text()
    assert newest[1] == version and f"\nversion: {version}\n" in cited
    assert f"\ndate-released: {newest[2]}\n" in cited


def modules():
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            yield parts[0], path


def test_every_module_has_its_floor():
    assert {module for module, _ in modules()} == set().union(*FLOORS)


def test_a_file_imports_only_from_floors_below_its_own():
    floor = {module: i for i, floor in enumerate(FLOORS) for module in floor}
    for module, path in modules():
        for name in imports(path):
            other = name.split(".")[1] if name.startswith("kseq2seq.") else None
            if other in floor and other != module and (module, other) not in WITHIN:
                assert floor[other] < floor[module], f"{path} imports {name}"


def test_one_private_file_imports_tensorflow():
    users = {
        path.name
        for _, path in modules()
        if any(name.split(".")[0] == "tensorflow" for name in imports(path))
    }
    assert users <= {
        "devices.py",
        "execution.py",
        "gradients.py",
        "marginals.py",
        "recurrence.py",
    }


PRIVATE = {"keras": {"src"}, "tensorflow": {"python", "core", "compiler"}}
"""Parts of other packages' names that are private without an underscore."""

ALLOWED: dict[str, str] = {}
"""Private names that are used all the same, each with its reason."""


def is_private(name):
    """Whether a part of a dotted name of another package is private there."""
    package, *parts = name.split(".")
    return any(
        part in PRIVATE.get(package, ())
        or (part.startswith("_") and not part.endswith("__"))
        for part in parts
    )


def dotted(node):
    """Return the parts of `name.attribute.attribute`, or nothing if it is no such."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute) and (parts := dotted(node.value)):
        return [*parts, node.attr]
    return []


def names_of_others(code):
    """Return the dotted names of other packages that code imports or reaches into."""
    known, found = {}, set()
    nodes = list(ast.walk(ast.parse(code)))
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.add(alias.name)
                top = alias.name.split(".")[0]
                known[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name)
                known[alias.asname or alias.name] = name
    for node in nodes:
        parts = dotted(node)
        if parts and parts[0] in known:
            found.add(".".join([known[parts[0]], *parts[1:]]))
    return {name for name in found if name.split(".")[0] != "kseq2seq"}


@pytest.mark.parametrize(
    "code",
    [
        "from keras.src.layers import rnn",
        "import keras.src.layers",
        "import keras\nkeras.src.layers.LSTM",
        "from keras import src",
        "import keras as k\ndef f():\n    return k.src",
        "from sklearn.utils import _tags",
        "import sklearn.utils\nsklearn.utils._tags.get_tags(1)",
        "def f():\n    import tensorflow as tf\n    return tf.python.eager",
        "from numpy import linalg as l\nl._umath_linalg",
    ],
)
def test_what_is_private_is_found_wherever_it_stands(code):
    assert any(is_private(name) for name in names_of_others(code))


def test_what_is_public_is_not_taken_for_private():
    code = "from __future__ import annotations\nimport keras\nkeras.__version__.x_"
    assert not any(is_private(name) for name in names_of_others(code))


def test_nothing_private_of_another_package_is_used():
    used = {
        name: path
        for path in PACKAGE.rglob("*.py")
        for name in names_of_others(path.read_text(encoding="utf-8"))
        if is_private(name)
    }
    assert used.keys() == ALLOWED.keys(), used


def test_importing_the_package_loads_no_backend():
    code = (
        "import sys, kseq2seq, kseq2seq.datasets\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'matplotlib'}\n"
        "print(heavy & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == "set()"


def test_every_public_name_is_there():
    for name in kseq2seq.__all__:
        assert name in dir(kseq2seq)
        assert getattr(kseq2seq, name).__doc__


def test_a_name_that_is_not_there_is_an_attribute_error():
    assert not hasattr(kseq2seq, "no_such_name")
