"""Test kseq2seq with its dependencies at their lowest and newest, and on each Python.

Run ``python3.11 .ci/compatibility.py``; it takes about half an hour. Each row of
ROWS gets a virtual environment of its own, where the quick tests are run: those of
TESTS with the lowest versions, all of them with the newest. What was installed and what
came out is written to ``docs/compatibility.md``. With two arguments, such as ``3.13
newest``, only this row is measured anew.
"""

import configparser
import json
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "docs" / "compatibility.md"
ROWS = [
    ("3.11", "lowest"),
    ("3.11", "newest"),
    ("3.12", "newest"),
    ("3.13", "newest"),
]
KEPT = {(f"| {python}", name): (python, name) for python, name in ROWS}
"""The rows by how they begin in the table."""
TESTS = [
    *("estimator_data", "estimator_model_file", "estimator_parameters"),
    *("estimator_training", "generation", "persistence", "search", "sklearn"),
    "training",
]
"""The tests that run with the lowest versions, which lack some of the extras."""
OF_OLD_PACKAGES = ["DeprecationWarning", "sklearn.exceptions.SkipTestWarning"]
"""What they warn of among themselves, and scikit-learn's of checks it leaves out."""
SHOWN = ["tensorflow", "keras", "numpy", "scikit-learn", "scipy", "matplotlib"]
HEAD = """# Versions that pass

Made by `python3.11 .ci/compatibility.py` on {system}: all quick tests with the newest
versions that there are, on each Python; and, with the lowest versions that `setup.cfg`
names, those of {tests}.

| Python | versions | {names} | tests |
|---|---|{dashes}---|
"""


def lowest():
    """Return the lowest version of each dependency that setup.cfg allows."""
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    required = setup["options"]["install_requires"].split()
    return [requirement.replace(">=", "==") for requirement in required]


def run(*command, **options):
    """Run a command and return what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, **options)
    return done.stdout + done.stderr


def interpreter(version):
    """Return the path of a Python, as .ci/find_python finds it."""
    found = run("bash", str(ROOT / ".ci" / "find_python"), version).strip()
    if not found:
        raise SystemExit(f"there is no Python {version}: install it first.")
    return found


def try_versions(python, pins, names, folder):
    """Return the versions installed on a Python with pins, and what the tests say."""
    venv = Path(folder) / "venv"
    run(interpreter(python), "-m", "venv", "--clear", str(venv))
    python = str(venv / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if names:
        needs = ["pytest", "pytest-xdist", "hypothesis", "tokenizers", "sacrebleu"]
        named = {re.split("[=<>]", pin)[0] for pin in pins}
        others = {re.split("[=<>]", pin)[0] for pin in lowest()} - named
        problem = run(*pip, *pins, *sorted(others), *needs)
        problem += run(*pip, "--no-deps", str(ROOT))
    else:
        problem = run(*pip, f"{ROOT}[test]")
    listed = run(python, "-m", "pip", "list", "--format=json").splitlines()[0]
    versions = {one["name"].lower(): one["version"] for one in json.loads(listed)}
    files = [str(ROOT / "tests" / f"test_{name}.py") for name in names]
    pytest = [python, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    for category in OF_OLD_PACKAGES if names else ():
        pytest += ["-W", f"ignore::{category}"]
    shown = run(*pytest, *files, cwd=ROOT).strip() or problem
    print(shown[-3000:], flush=True)
    return versions, shown.splitlines()[-1].split(" in ")[0]


def write(rows):
    """Write the table, its rows in the order of ROWS."""
    head = HEAD.format(
        system=platform.system(),
        tests=", ".join(TESTS),
        names=" | ".join(SHOWN),
        dashes="---|" * len(SHOWN),
    )
    TABLE.write_text(head + "".join(rows[row] for row in ROWS if row in rows))


def main(*asked):
    """Measure all rows, or the one that is asked for, and write the table."""
    lines = TABLE.read_text().splitlines(keepends=True)
    rows = {
        row: line for line in lines if (row := tuple(line.split(" | ")[:2])) in KEPT
    }
    rows = {KEPT[row]: line for row, line in rows.items()}
    for python, name in [asked] if asked else ROWS:
        pins, names = (lowest(), TESTS) if name == "lowest" else ([], [])
        with tempfile.TemporaryDirectory() as folder:
            installed, outcome = try_versions(python, pins, names, folder)
        shown = (installed.get(one, "none") for one in SHOWN)
        row = f"| {' | '.join([python, name, *shown, outcome])} |\n"
        print(row, flush=True)
        rows[python, name] = row
        write(rows)


if __name__ == "__main__":
    main(*sys.argv[1:])
