"""Fitted estimators that were saved, pickled or copied answer the same."""

import copy
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
from strategies import X, Y, assert_same_weights, small_estimator

import kseq2seq


@pytest.mark.slow
@pytest.mark.parametrize(
    "imports",
    ["keras, kseq2seq", "kseq2seq, keras", "kseq2seq.batching, keras"],
)
def test_keras_alone_loads_each_model_in_a_fresh_process(fitted, tmp_path, imports):
    models = {**vars(fitted.models_), "generator": fitted.generator_}
    for name, model in models.items():
        model.save(tmp_path / f"{name}.keras")
    code = (
        f"import {imports}, numpy as np\n"
        f"for name in {[*models]}:\n"
        "    model = keras.models.load_model(name + '.keras')\n"
        "print(model.predict(np.array([[4, 5, 6, 3]]), verbose=0)['ids'].tolist())\n"
    )
    command = [sys.executable, "-c", code]
    shown = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout
    ids = fitted.generator_.predict(np.array([[4, 5, 6, 3]]), verbose=0)["ids"]
    assert shown.strip().splitlines()[-1] == str(ids.tolist())


@pytest.mark.parametrize("path", ["save", "pickle", "copy"])
def test_what_was_kept_answers_the_same(fitted, tmp_path, path):
    if path == "save":
        again = kseq2seq.load(fitted.save(tmp_path / "m.kseq2seq"))
    elif path == "pickle":
        again = pickle.loads(pickle.dumps(fitted))
    else:
        again = copy.deepcopy(fitted)
    words = ["abcd", "", "ddd", "xyz"]
    assert again.predict(words) == fitted.predict(words)
    assert str(again.get_params()) == str(fitted.get_params())
    assert again.history_ == fitted.history_


def test_a_fresh_process_answers_the_same(fitted, tmp_path):
    model, pickled = tmp_path / "m.kseq2seq", tmp_path / "m.pickle"
    fitted.save(model)
    pickled.write_bytes(pickle.dumps(fitted))
    code = (
        "import sys, pickle, pathlib, kseq2seq\n"
        "print(kseq2seq.load(sys.argv[1]).predict(['abcd', 'ca', '']))\n"
        "model = pickle.loads(pathlib.Path(sys.argv[2]).read_bytes())\n"
        "print(model.predict(['abcd', 'ca', '']))\n"
    )
    command = [sys.executable, "-c", code, str(model), str(pickled)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == [str(fitted.predict(["abcd", "ca", ""]))] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    "parameters",
    [
        {"cell": "gru", "num_layers": 2, "bidirectional": True},
        {"attention_kind": None, "encoder_units": 4},
        {"source_embedding": "one_hot", "target_embedding": np.ones((6, 2))},
        {"kernel_initializer": keras.initializers.HeNormal(), "optimizer": "sgd"},
        {"optimizer": keras.optimizers.RMSprop(0.01), "target_tokenizer": "word"},
        {"random_state": np.random.RandomState(0)},
    ],
    ids=["gru", "no attention", "embeddings", "initializer", "optimizer", "random"],
)
def test_every_setting_survives_the_model_file(parameters, tmp_path):
    estimator = small_estimator(**parameters).fit(X, Y)
    again = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq"))
    assert again.predict(X) == estimator.predict(X)
    assert_same_weights(again, estimator)


@pytest.mark.slow
def test_a_loaded_estimator_refits_like_the_first(tmp_path):
    estimator = small_estimator().fit(X, Y)
    again = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq")).fit(X, Y)
    assert again.history_ == estimator.history_


def test_code_of_your_own_is_refused_by_the_model_file_but_not_by_fit(tmp_path):
    estimator = small_estimator(source_tokenizer=(list, "".join)).fit(X, Y)
    with pytest.raises(TypeError, match="a model file holds no code"):
        estimator.save(tmp_path / "m.kseq2seq")
    assert not list(tmp_path.iterdir())


def test_lists_of_the_search_are_saved(tmp_path):
    estimator = small_estimator(forbidden_tokens=["x"], target_tokenizer="whitespace")
    estimator.fit(X, Y).save(tmp_path / "m")
    assert kseq2seq.load(tmp_path / "m").forbidden_tokens == ["x"]


def test_a_search_that_cannot_be_is_not_saved(fitted, tmp_path):
    estimator = copy.deepcopy(fitted).set_params(beam_size="a")
    with pytest.raises(TypeError, match="beam_size must be a whole number"):
        estimator.save(tmp_path / "m.kseq2seq")
    assert not list(tmp_path.iterdir())


def test_a_file_of_a_class_of_ones_own_is_named(tmp_path):
    class Own(kseq2seq.Seq2SeqEstimator):
        """A subclass, which load cannot know."""

    path = Own(units=4, epochs=1).fit(X, Y).save(tmp_path / "own.kseq2seq")
    with pytest.raises(ValueError, match="of class Own, and load knows"):
        kseq2seq.load(path)
