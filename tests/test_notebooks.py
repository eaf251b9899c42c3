"""Every notebook runs from its first cell to its last, in a small size."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parents[1] / "notebooks"
NAMES = [
    "add_two_digits.ipynb",
    "arithmetic.ipynb",
    "builders.ipynb",
    "echo.ipynb",
    "forecasting.ipynb",
    "masked_autoencoder.ipynb",
    "number_stream.ipynb",
    "number_words.ipynb",
]


def test_the_notebooks_are_these():
    assert sorted(path.name for path in FOLDER.glob("*.ipynb")) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_kept_outputs_are_of_one_run_from_top_to_bottom(name):
    notebook = nbformat.read(FOLDER / name, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert any(cell.outputs for cell in cells)


@pytest.mark.parametrize("name", NAMES)
def test_the_first_cell_asks_a_question_and_says_how_long_the_answer_takes(name):
    first = nbformat.read(FOLDER / name, as_version=4).cells[0].source
    assert first.startswith("# ") and re.search(r"\*[^*]+\?\*", first)
    assert re.search(r"Running all cells takes about .* on two cores\.$", first)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.filterwarnings("ignore:.*IOLoop.*:DeprecationWarning")
def test_a_notebook_runs(name, monkeypatch, tmp_path):
    monkeypatch.setenv("KSEQ2SEQ_NOTEBOOK_SAMPLES", "300")
    notebook = nbformat.read(FOLDER / name, as_version=4)
    resources = {"metadata": {"path": tmp_path}}
    NotebookClient(notebook, timeout=300, resources=resources).execute()


@pytest.mark.parametrize("name", NAMES)
def test_sentences_hold_no_figure_that_a_rerun_changes(name):
    notebook = nbformat.read(FOLDER / name, as_version=4)
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    rows = [line for text in texts for line in text.splitlines()]
    ours = [row for row in rows if row.startswith("| ours")]
    assert not [row for row in ours if re.search(r"\d\s*%|\|\s*\d*\.\d+\s*\|", row)]
