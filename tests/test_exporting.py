"""Exported models, each in a process of its own runtime alone."""

import json
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.base import clone

from kseq2seq import Seq2SeqEstimator, SequenceClassifier, load
from kseq2seq.estimators.exporting import _check_folder, _put_in_place

WORDS = ["abcd", "ca", "d", "bbb"]
RUN = {
    "savedmodel": """
import tensorflow
model = tensorflow.saved_model.load(f"{folder}/saved_model")
answers = {name: value.numpy() for name, value in model.serve(source_ids).items()}
""",
    "onnx": """
import onnxruntime
model = onnxruntime.InferenceSession(f"{folder}/model.onnx")
names = [output.name for output in model.get_outputs()]
answers = dict(zip(names, model.run(None, {"source_ids": source_ids})))
""",
    "litert": """
from ai_edge_litert.interpreter import Interpreter
answer = Interpreter(f"{folder}/model.tflite").get_signature_runner()
width = described["max_source_length"] - source_ids.shape[1]
padded = np.pad(source_ids, ((0, 0), (0, width)))
rows = [dict(answer(source_ids=row[None])) for row in padded]
answers = {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
""",
}
SCRIPT = """
import json, sys
import numpy as np
folder, words = sys.argv[1], json.loads(sys.argv[2])
described = json.load(open(f"{folder}/vocabularies.json"))
first, end = described["first_token_id"], described["special_ids"]["END"]
tokens = described["source"]["tokens"]
rows = [[tokens.index(token) + first for token in word] + [end] for word in words]
source_ids = np.zeros((len(rows), max(map(len, rows))), dtype="int32")
for i, row in enumerate(rows):
    source_ids[i, :len(row)] = row
#RUN
assert "kseq2seq" not in sys.modules
if "classes" in described:
    print(json.dumps(answers["probabilities"].tolist()))
else:
    tokens = described["target"]["tokens"]
    texts = [
        "".join(tokens[i - first] for i in row.tolist() if i >= first)
        for row in answers["ids"]
    ]
    print(json.dumps([texts, answers["scores"].tolist()]))
"""


def run(folder, format, words):
    """Return what an exported model answers, without kseq2seq."""
    code = SCRIPT.replace("#RUN", RUN[format])
    command = [sys.executable, "-W", "ignore", "-c", code, folder, json.dumps(words)]
    found = subprocess.run(command, capture_output=True, text=True)
    assert found.returncode == 0, found.stderr[-2000:]
    return json.loads(found.stdout.splitlines()[-1])


def check_exported(model, format, tmp_path, *, length):
    """Export a model; its answers and scores are the estimator's."""
    length = length if format == "litert" else None
    folder = model.export(tmp_path / "out", format, max_source_length=length)
    texts, scores = run(str(folder), format, WORDS)
    assert texts == model.predict(WORDS)
    expected = [found[0].score for found in model.predict_n_best(WORDS, 1)]
    np.testing.assert_allclose(scores, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("format", RUN)
def test_each_runtime_answers_as_the_estimator(format, beam_size, fitted, tmp_path):
    model = load(fitted.save(tmp_path / "m.kseq2seq"))
    model.set_params(beam_size=beam_size, no_repeat_ngram_size=beam_size - 1)
    check_exported(model, format, tmp_path, length=12)


@pytest.fixture(scope="module")
def copier():
    """An estimator that copies some of its sources' tokens."""
    words = ["abcd", "ca", "d", "bbb", "adc"] * 8
    settings = {"units": 16, "learning_rate": 0.02, "epochs": 4, "batch_size": 8}
    estimator = Seq2SeqEstimator(
        **settings, copy=True, beam_size=2, validation_fraction=0, random_state=0
    )
    return estimator.fit(words, [f"<{word}>".replace("d", "D") for word in words])


@pytest.mark.slow
@pytest.mark.parametrize("format", RUN)
def test_what_copies_is_exported_too(format, copier, tmp_path):
    check_exported(copier, format, tmp_path, length=6)


@pytest.mark.slow
@pytest.mark.parametrize("format", RUN)
def test_monotonic_attention_is_exported_too(format, reversed_words, tmp_path):
    words, _ = reversed_words
    model = Seq2SeqEstimator(
        units=16, epochs=1, attention_kind="monotonic", random_state=0
    ).fit(words, words)
    check_exported(model, format, tmp_path, length=12)


@pytest.mark.slow
@pytest.mark.parametrize("format", RUN)
def test_a_classifier_is_exported_too(format, tmp_path):
    words, labels = ["ab", "ba", "abb", "a"] * 4, ["p", "q", "p", "q"] * 4
    model = SequenceClassifier(units=8, epochs=2, random_state=0).fit(words, labels)
    length = 6 if format == "litert" else None
    folder = model.export(tmp_path / "out", format, max_source_length=length)
    found = run(str(folder), format, words[:4])
    np.testing.assert_allclose(found, model.predict_proba(words[:4]), atol=1e-5)


@pytest.mark.slow
def test_the_command_exports_and_replaces_what_it_made(fitted, tmp_path, main_here):
    model, folder = fitted.save(tmp_path / "m.kseq2seq"), tmp_path / "out"

    def command(*options):
        return main_here("export", model, folder, *options)

    code, shown = command("--beam-size", "2")
    assert code == 0
    assert shown.out.split() == [
        str(folder / "saved_model"),
        str(folder / "vocabularies.json"),
    ]
    code, shown = command()
    assert code == 1 and "exists and is kept" in shown.err
    code, shown = command("--overwrite", "--format", "litert")
    assert code == 1 and "needs max_source_length" in shown.err
    assert (folder / "saved_model").exists()
    code, _ = command("--overwrite", "--format", "litert", "--max-source-length", "9")
    assert code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "model.tflite",
        "vocabularies.json",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.kseq2seq", "out"]


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"format": "onxx"}, "Did you mean 'onnx'"),
        ({"max_source_length": 5}, "is for format='litert'"),
        ({"format": "litert", "max_source_length": 0}, "max_source_length must be"),
        ({"path": ""}, "path must be the path"),
        ({"path": "no/where"}, "does not exist"),
        ({"overwrite": 1}, "overwrite must be"),
    ],
    ids=str,
)
def test_bad_arguments_are_refused(arguments, message, fitted, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((ValueError, TypeError, OSError), match=message):
        fitted.export(**{"path": "out", **arguments})
    assert not list(tmp_path.iterdir())


def test_a_folder_of_others_is_kept(fitted, tmp_path):
    with pytest.raises(FileExistsError, match="no export has made"):
        fitted.export(tmp_path, overwrite=True)


@pytest.mark.parametrize("stranger", ["vocabularies.json", "thesis.txt"])
def test_a_folder_with_files_of_others_is_kept(stranger, fitted, tmp_path):
    names = {"vocabularies.json": '{"model": "saved_model"}', stranger: "[]"}
    (tmp_path / "saved_model").mkdir()
    for name, text in names.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(FileExistsError, match="other files are in"):
        fitted.export(tmp_path, overwrite=True)
    assert len(list(tmp_path.iterdir())) == len(names) + 1


def test_a_file_in_the_way_is_kept(fitted, tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(FileExistsError, match="is no folder, and is kept"):
        fitted.export(tmp_path / "out", overwrite=True)
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("fails", [0, 1])
def test_what_fails_at_the_end_leaves_the_export_before(fails, tmp_path, monkeypatch):
    made, path = tmp_path / "made", tmp_path / "out"
    for folder in (made, path):
        folder.mkdir()
        (folder / folder.name).touch()
    rename, calls = Path.rename, []

    def failing(self, target):
        calls.append(target)
        if len(calls) == fails + 1:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(KeyboardInterrupt):
        _put_in_place(path, made, before=tmp_path / "before")
    assert (path / "out").exists() and not (tmp_path / "before").exists()


def test_a_full_disk_is_told_and_nothing_is_left(fitted, tmp_path, monkeypatch):
    def full(*_, **__):
        raise tf.errors.OutOfRangeError(None, None, "12 B written\nof 99")

    monkeypatch.setattr(keras.Model, "export", full)
    with pytest.raises(OSError, match="out cannot be written: 12 B written. Is there"):
        fitted.export(tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_an_export_may_be_replaced_from_inside(tmp_path, monkeypatch):
    made, path = tmp_path / "made", tmp_path / "out"
    for folder in (made, path):
        folder.mkdir()
    (path / "saved_model").mkdir()
    (path / "vocabularies.json").write_text('{"model": "saved_model"}')
    monkeypatch.chdir(path)
    assert _check_folder(".", overwrite=True) == path.resolve()


def test_tokens_of_the_source_cannot_be_exported(fitted, tmp_path):
    model = load(fitted.save(tmp_path / "m")).set_params(replace_unknown=True)
    with pytest.raises(ValueError, match=r"set_params\(replace_unknown=False\)"):
        model.export(tmp_path / "out")


def test_drawn_answers_and_models_not_fitted_are_refused(fitted, tmp_path):
    with pytest.raises(ValueError, match="temperature=1.0 draws"):
        load(fitted.save(tmp_path / "m")).set_params(temperature=1.0).export("out")
    with pytest.raises(ValueError, match="not fitted yet"):
        clone(fitted).export("out")
