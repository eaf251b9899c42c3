"""The examples in the docstrings of the installed package run."""

import doctest
import importlib
import pkgutil

import keras
import pytest

import kseq2seq

MODULES = sorted(
    module.name for module in pkgutil.walk_packages(kseq2seq.__path__, "kseq2seq.")
)

TENSORFLOW_ONLY = ["kseq2seq.estimators.base.SequenceEstimator.export"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_print_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some write files
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in doctest.DocTestFinder().find(module):
        if keras.backend.backend() == "tensorflow" or test.name not in TENSORFLOW_ONLY:
            runner.run(test)
    assert not runner.summarize().failed


def test_the_names_that_users_import_have_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    for name in set(kseq2seq.__all__) - {"Seq2SeqModels"}:
        found = finder.find(getattr(kseq2seq, name), name)
        assert any(test.examples for test in found), name
