"""What XLA compiles stays for the life of a process, so there is an end to it."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from strategies import SMALL, X, Y

from kseq2seq import Seq2SeqEstimator, _tensorflow
from kseq2seq._tensorflow import compilation
from kseq2seq.answering import source_batches
from kseq2seq.training import keras_fit, programs

pytestmark = pytest.mark.backends("tensorflow")
FULL = "mappings .* nothing more is compiled here.* in a new process"


@pytest.fixture
def no_room(monkeypatch, tmp_path):
    """The system grants four mappings, and each process has more."""
    limit = tmp_path / "max_map_count"
    limit.write_text("4\n")
    monkeypatch.setattr(compilation, "_LIMIT", limit)


@pytest.fixture
def compiled(monkeypatch):
    """Of each function that trains or measures whether it is compiled."""
    made, trace = [], _tensorflow.run_function

    def note(*args, jit_compile):
        made.append(jit_compile)
        return trace(*args, jit_compile=jit_compile)

    monkeypatch.setattr(_tensorflow, "run_function", note)
    monkeypatch.setattr(programs, "_POOL", programs._Pool())
    return made


def test_usually_there_is_room(monkeypatch, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert compilation.may_compile()
        monkeypatch.setattr(compilation, "_LIMIT", tmp_path / "of another system")
        assert compilation.may_compile()


def test_without_room_a_training_is_not_compiled(no_room, compiled, monkeypatch):
    settings = {**SMALL, "epochs": 3, "validation_fraction": 0.25}
    plain = Seq2SeqEstimator(**settings).fit(X, Y)
    assert compiled == [False, False]  # trains, measures
    monkeypatch.setattr(keras_fit, "STEPS_WORTH_COMPILING", 1e-9)
    with pytest.warns(RuntimeWarning, match=FULL):
        full = Seq2SeqEstimator(**settings).fit(X, Y)
    assert compiled == [False] * 4
    assert full.history_["val_loss"] == pytest.approx(plain.history_["val_loss"])


def test_without_room_a_stream_trains_uncompiled(no_room, monkeypatch):
    monkeypatch.setattr(keras_fit, "STEPS_WORTH_COMPILING", 1e-9)
    estimator = Seq2SeqEstimator(
        source_vocabulary="ab", target_vocabulary="xy", max_length=4, **SMALL
    )
    with pytest.warns(RuntimeWarning, match=FULL):
        estimator.fit(zip(X * 2, Y * 2, strict=True), steps_per_epoch=2)
    assert np.isfinite(estimator.history_["loss"]).all()


def test_without_room_a_search_is_not_compiled(no_room, monkeypatch):
    estimator = Seq2SeqEstimator(**SMALL).fit(X, Y)
    expected = estimator.predict(X)
    monkeypatch.setattr(source_batches, "SOURCES_WORTH_COMPILING", 2)
    monkeypatch.setattr(source_batches, "CALLS_WORTH_COMPILING", 2)
    with pytest.warns(RuntimeWarning, match=FULL):
        assert estimator.predict(X) == expected
    with pytest.warns(RuntimeWarning, match=FULL):
        assert [estimator.predict([x])[0] for x in [X[0]] * 3] == expected[:1] * 3


@pytest.mark.parametrize("compiles", [True, False])
def test_a_program_keeps_the_functions_of_all_folds(compiles, monkeypatch):
    """Where it is compiled, each fold has shapes of its own."""
    monkeypatch.setattr(_tensorflow, "run_function", lambda *args, **options: object())
    monkeypatch.setattr(_tensorflow, "specs_of_run", lambda run: "specs")
    model = SimpleNamespace(jit_compile=compiles, train_step=None, test_step=None)
    program = programs.Program(model)

    class Fold(list):
        def __init__(self, width):
            super().__init__([None])
            self.shapes = [(16, [width, width])]

    def functions():
        kinds = ("train", "test")
        return [program.function(k, Fold(width)) for width in range(10) for k in kinds]

    first = functions()
    assert len(set(first)) == 20 and (functions() == first) == compiles
    for width in range(programs.MOST_COMPILED):
        program.function("train", Fold(100 + width))
    bound = programs.MOST_COMPILED if compiles else programs.MOST_FUNCTIONS
    assert len(program._functions) <= bound
