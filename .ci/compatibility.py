"""Test kseq2seq with its dependencies at their lowest and at their newest versions.

Run ``python .ci/compatibility.py``; it takes about half an hour. Each set of versions
gets a virtual environment of its own, where the tests of TESTS are run. What was
installed and what came out is written to ``docs/compatibility.md``. With arguments,
such as ``keras==3.14.1``, only these versions are tried, others at their newest, and
nothing is written.
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
TESTS = ["estimators", "generation", "persistence", "search", "sklearn", "training"]
OF_OLD_PACKAGES = ["DeprecationWarning", "sklearn.exceptions.SkipTestWarning"]
"""What they warn of among themselves, and scikit-learn's of checks it leaves out."""
SHOWN = ["tensorflow", "keras", "numpy", "scikit-learn", "scipy", "matplotlib"]
HEAD = """# Versions that pass

Made by `python .ci/compatibility.py`, on Python {python}, {system}: the quick tests
of {tests}, in an environment with the lowest versions that
`setup.cfg` names, and in one with the newest there are.

| versions | {names} | tests |
|---|{dashes}---|
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


def try_versions(pins, folder):
    """Return the versions installed with these pins, and what the tests say."""
    venv = Path(folder) / "venv"
    run(sys.executable, "-m", "venv", "--clear", str(venv))
    python = str(venv / "bin" / "python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    needs = ["pytest", "pytest-xdist", "hypothesis", "tokenizers", "sacrebleu"]
    named = {re.split("[=<>]", pin)[0] for pin in pins}
    others = {re.split("[=<>]", pin)[0] for pin in lowest()} - named
    problem = run(*pip, *pins, *sorted(others), *needs)
    problem += run(*pip, "--no-deps", str(ROOT))
    listed = run(python, "-m", "pip", "list", "--format=json").splitlines()[0]
    versions = {one["name"].lower(): one["version"] for one in json.loads(listed)}
    files = [str(ROOT / "tests" / f"test_{name}.py") for name in TESTS]
    pytest = [python, "-m", "pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider"]
    for category in OF_OLD_PACKAGES:
        pytest += ["-W", f"ignore::{category}"]
    shown = run(*pytest, *files, cwd=ROOT).strip() or problem
    print(shown[-3000:], flush=True)
    return versions, shown.splitlines()[-1].split(" in ")[0]


def main(*pins):
    """Try the sets of versions, or these pins alone."""
    sets = {"tried": list(pins)} if pins else {"lowest": lowest(), "newest": []}
    rows = []
    for name, versions in sets.items():
        with tempfile.TemporaryDirectory() as folder:
            installed, outcome = try_versions(versions, folder)
        cells = [name, *(installed.get(one, "none") for one in SHOWN), outcome]
        rows.append(f"| {' | '.join(cells)} |\n")
        print(rows[-1], flush=True)
    if not pins:
        head = HEAD.format(
            python=platform.python_version(),
            system=platform.system(),
            tests=", ".join(TESTS),
            names=" | ".join(SHOWN),
            dashes="---|" * len(SHOWN),
        )
        TABLE.write_text(head + "".join(rows))


if __name__ == "__main__":
    main(*sys.argv[1:])
