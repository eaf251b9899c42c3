"""The code of the site's pages runs as it stands, block after block, and says so."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from checkout import code_blocks

import kseq2seq

ROOT = Path(__file__).parents[1]
TEXTS = {
    path.name: path.read_text(encoding="utf-8") for path in (ROOT / "docs").glob("*.md")
}
BLOCKS = {page: code_blocks(ROOT / "docs" / page) for page in TEXTS}
RUN = "python", "bash", "toml"
PAGES = sorted(
    page
    for page, found in BLOCKS.items()
    if any(language in RUN for language, _ in found)
)
RUN_ELSEWHERE = [("devices.md", "initialize"), ("devices.md", "scheduler:8786")]
"""Code for several machines, whose like `tests/devices` and `test_devices.py` run."""


def a_search_finds_attention(namespace, printed):
    search = namespace["search"]
    assert search.best_params_["attention_kind"] == "dot" and search.best_score_ > 0.95


def steps_of_a_decoder_turn_a_word_around(namespace, printed):
    steps = " ".join(map(str, namespace["words"][0].tolist()[::-1])) + " "
    assert any(line.startswith(steps) for line in printed)


def pictures_are_there(namespace, printed):
    assert Path("attention.png").exists() and Path("curves.png").exists()


OUTCOMES = {
    "scikit-learn.md": a_search_finds_attention,
    "keras.md": steps_of_a_decoder_turn_a_word_around,
    "notebooks.md": pictures_are_there,
}
"""What a page's code must have brought about, beside what it says that it prints."""


def test_what_is_not_run_is_what_needs_other_machines():
    shown = [
        (page, code)
        for page, found in BLOCKS.items()
        for language, code in found
        if language == "{code-block} python"
    ]
    assert len(shown) == len(RUN_ELSEWHERE)
    assert all(
        page == where and what in code
        for (page, code), (where, what) in zip(shown, RUN_ELSEWHERE, strict=True)
    )


def test_first_commands_of_the_site_are_those_of_readme_which_ci_runs():
    readme = code_blocks(ROOT / "README.md")
    assert set(_shell(BLOCKS["index.md"])) <= set(_shell(readme))


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_page_runs_and_prints_what_it_says(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for language, code in BLOCKS[page]:
        first = re.match(r"# (\S+\.(py|toml))\n", code)
        if first:
            Path(first[1]).write_text(code, encoding="utf-8")
        elif language == "python":
            exec(compile(code, page, "exec"), namespace)
        elif language == "bash" and page != "index.md":
            _run(code)
    said = re.findall(r"^print\(.*\)  # (\[.*?\])", TEXTS[page], re.MULTILINE)
    printed = capsys.readouterr().out.splitlines()
    assert not [answer for answer in said if answer not in printed]
    if page in OUTCOMES:
        OUTCOMES[page](namespace, printed)


def test_what_pages_and_notebooks_import_stands_in_the_reference():
    listed = set(_reference())
    for name in listed:
        module, _, own = name.rpartition(".")
        assert hasattr(importlib.import_module(module), own), name
    assert {f"kseq2seq.{name}" for name in kseq2seq.__all__} <= listed
    texts = [*TEXTS.values(), (ROOT / "README.md").read_text(encoding="utf-8")]
    texts += [path.read_text("utf-8") for path in (ROOT / "notebooks").glob("*.ipynb")]
    imported = {
        f"{module}.{name.strip()}"
        for text in texts
        for module, names in re.findall(r"from (kseq2seq[.\w]*) import ([\w, ]+)", text)
        for name in names.split(",")
    }
    assert imported <= listed


def _reference():
    """Return the full names of all that the page of the reference lists."""
    module, names = "", []
    for line in (ROOT / "docs" / "api.rst").read_text(encoding="utf-8").splitlines():
        if line.startswith(".. currentmodule:: "):
            module = line.split()[-1]
        item = re.fullmatch(r"   (\w+)|\.\. py:data:: (\w+)", line)
        if item:
            names.append(f"{module}.{item[1] or item[2]}")
    return names


def _shell(found):
    return [code for language, code in found if language == "bash"]


def _run(code):
    """Run commands with those of this environment on the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(
        ["bash", "-euo", "pipefail", "-c", code],
        env={**os.environ, "PATH": path},
        check=True,
        timeout=600,
    )
