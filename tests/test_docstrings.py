"""The examples in the docstrings of the installed package run."""

import doctest
import importlib
import pkgutil

import pytest

import kseq2seq

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(kseq2seq.__path__, "kseq2seq.")
)


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    module = importlib.import_module(name)
    results = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert not results.failed


def test_the_names_that_users_import_have_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in set(kseq2seq.__all__) - {"Seq2SeqModels"}:
        found = finder.find(getattr(kseq2seq, name), name)
        assert any(test.examples for test in found), name
