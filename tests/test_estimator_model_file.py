"""Fitted estimators that were saved, pickled or copied answer the same."""

import copy
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
from hostile import LAYER
from keras.optimizers import schedules
from strategies import (
    LABELS,
    X,
    Y,
    assert_same_weights,
    small_classifier,
    small_estimator,
)

import kseq2seq
from kseq2seq.persistence import Artifact, write_artifact


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
    with pytest.raises(ValueError, match="of class Own; expected"):
        kseq2seq.load(path)


def freeze(models):
    """Freeze a layer, a cell inside another and one weight; return all that is."""
    network = models if isinstance(models, keras.Model) else models.training
    network.get_layer("source_embedding").trainable = False
    recurrent = next(one for one in network.layers if hasattr(one, "cell"))
    recurrent.cell.trainable = False
    network.get_layer("logits").bias.trainable = False
    return {weight.path for weight in network.weights if not weight.trainable}


@pytest.mark.parametrize("way", ["save", "pickle", "copy"])
@pytest.mark.parametrize("make", [small_estimator, small_classifier])
def test_what_was_frozen_stays_frozen(make, way, tmp_path):
    y = Y if make is small_estimator else LABELS
    sizes = {"bidirectional": False, "epochs": 1, "warm_start": True}
    estimator = make(**sizes).fit(X, y)
    frozen = freeze(estimator._models)
    if way == "save":
        path = estimator.save(tmp_path / "m.kseq2seq", include_optimizer=True)
        again = kseq2seq.load(path)
    elif way == "pickle":
        again = pickle.loads(pickle.dumps(estimator))
    else:
        again = copy.deepcopy(estimator)
    network = again._network
    assert {one.path for one in network.weights if not one.trainable} == frozen
    before = {one.path: np.array(one) for one in network.weights}
    again.fit(X, y)  # goes on
    for weight in again._network.weights:
        same = np.array_equal(weight, before[weight.path])
        assert same == (weight.path in frozen), weight.path


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_neither_saved_nor_exported(value, tmp_path):
    estimator = small_estimator(epochs=1).fit(X, Y)
    bias = estimator._network.get_layer("logits").bias
    bias.assign(np.where(np.arange(bias.shape[0]) == 2, value, bias))
    for keep in (estimator.save, estimator.export):
        with pytest.raises(FloatingPointError, match="logits/bias holds NaN or inf"):
            keep(tmp_path / "m")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "class_name", "config"),
    [
        ("optimizer", "Dense", {"units": 4}),
        ("optimizer", "Adam", {"learning_rate": LAYER}),
        ("optimizer", "Adam", {"learning_rate": "dense"}),
        ("optimizer", "Adam", {"learning_rate": {"class_name": "Dense"}}),
        ("optimizer", "LossScaleOptimizer", {"inner_optimizer": LAYER}),
        ("optimizer", "Adam", {"beta_1": 1e300}),
        ("optimizer", ["Adam"], {}),
        ("kernel_initializer", "Lambda", {"function": "print"}),
        ("kernel_initializer", "HeNormal", {"seed": LAYER}),
        ("kernel_initializer", "Constant", {"value": LAYER}),
        ("kernel_initializer", "Constant", {"value": {"class_name": "__lambda__"}}),
        ("kernel_initializer", "Adam", {}),
    ],
    ids=str,
)
def test_a_file_makes_keras_build_no_layer_of_its_choice(
    fitted, tmp_path, name, class_name, config, monkeypatch
):
    artifact = fitted._artifact()
    kind = name.rpartition("_")[2]
    made = {kind: {"class_name": class_name, "config": config}}
    parameters = {**artifact.description["parameters"], name: made}
    description = {**artifact.description, "parameters": parameters}
    path = tmp_path / "m.kseq2seq"
    write_artifact(path, Artifact(description, artifact.arrays))
    monkeypatch.setattr(keras.layers.Layer, "from_config", None)
    monkeypatch.setattr(keras.layers.Dense, "__init__", None)
    with pytest.raises(ValueError, match="is damaged: "):
        kseq2seq.load(path)


@pytest.mark.parametrize(
    "optimizer",
    [
        keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1)),
        keras.optimizers.Adam(schedules.ExponentialDecay(0.1, 9, 0.9)),
        keras.optimizers.Lion(
            keras.optimizers.schedules.PiecewiseConstantDecay([9], [0.1, 0.01])
        ),
    ],
    ids=["inner", "schedule", "lists"],
)
def test_objects_of_keras_in_a_file_are_what_they_were(optimizer, tmp_path):
    initializer = keras.initializers.Orthogonal(gain=0.5, seed=3)
    estimator = small_estimator(
        epochs=1, optimizer=optimizer, recurrent_initializer=initializer
    ).fit(X, Y)
    again = kseq2seq.load(estimator.save(tmp_path / "m.kseq2seq"))
    kept, own = again.optimizer.get_config(), optimizer.get_config()
    assert {**kept, "name": 0} == {**own, "name": 0}
    assert again.recurrent_initializer.get_config() == initializer.get_config()
