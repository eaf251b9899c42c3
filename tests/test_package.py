"""The floors of the design, and what importing costs."""

import ast
import subprocess
import sys
from pathlib import Path

import kseq2seq

PACKAGE = Path(kseq2seq.__file__).parent
FLOORS = [
    {"arguments", "_tensorflow", "persistence"},
    {"metrics", "plotting", "tokenizers", "declarations"},
    {"vocabulary", "ragged", "codec", "layers", "datasets"},
    {"batching", "builders", "search"},
    {"training", "generation"},
    {"answering"},
    {"estimators"},
    {"cli"},
    {"__main__"},
]
# Within a floor: the vocabulary has the ids that all others use; a codec gives its ids
# ragged.
WITHIN = {
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
    assert users <= {"devices.py", "execution.py", "recurrence.py"}


def test_nothing_private_is_imported():
    for _, path in modules():
        for name in imports(path):
            assert not name.startswith(("keras.src", "sklearn.utils._")), path


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
