"""A process that was forked after TensorFlow ran is told what to do; it never hangs."""

import copy
import json
import os
import pickle
import signal

import numpy as np
import pytest
from strategies import LABELS, X, Y, small_classifier, small_estimator

from kseq2seq import build_generator, build_seq2seq, load
from kseq2seq.answering import generate

pytestmark = [
    pytest.mark.backends("tensorflow"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning"),
]


def in_child(tasks):
    """Return what each task, by name, raised or returned in a forked process."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(60)  # a task that hangs
        try:
            with os.fdopen(writing, "w") as pipe:
                json.dump({name: outcome(task) for name, task in tasks.items()}, pipe)
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        found = pipe.read()
    os.waitpid(process, 0)
    return json.loads(found)


def outcome(task):
    try:
        return task()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def test_whatever_runs_a_model_says_what_to_do(fitted, tmp_path):
    path = fitted.save(tmp_path / "m.kseq2seq")
    classifier = small_classifier().fit(X, LABELS)
    generator = fitted.generator_
    real = build_seq2seq(source_features=1, target_features=1, units=3)
    rollout = build_generator(real, max_length=2)
    ids, frames = np.array([[4, 5, 3]]), np.zeros((1, 2, 1))
    found = in_child(
        {
            "predict": lambda: fitted.predict(["ab"]),
            "n best": lambda: fitted.predict_n_best(["ab"], 2),
            "attention": lambda: fitted.attention(["ab"]),
            "score": lambda: fitted.score(["ab"], ["ba"]),
            "probabilities": lambda: classifier.predict_proba(["ab"]),
            "classes": lambda: classifier.predict(["ab"]),
            "fit": lambda: small_estimator().fit(X, Y),
            "partial fit": lambda: copy.copy(fitted).partial_fit(X, Y),
            "fit a classifier": lambda: small_classifier().fit(X, LABELS),
            "load, then predict": lambda: load(path).predict(["ab"]),
            "a copy": lambda: copy.deepcopy(fitted).predict(["ab"]),
            "generate": lambda: generate(generator, [[4], [5]]),
            "generator": lambda: generator.predict(ids, verbose=0),
            "generator of a batch": lambda: generator.predict_on_batch(ids),
            "generator called": lambda: generator(ids),
            "rollout": lambda: rollout.predict(frames, verbose=0),
        }
    )
    assert len(found) == 16
    for name, message in found.items():
        assert message.startswith("RuntimeError: this process was forked"), name
        assert "after the fork" in message and "'spawn'" in message


def test_what_a_child_passes_on_comes_back_whole(fitted):
    def passed_on():
        return pickle.dumps(pickle.loads(pickle.dumps(fitted))).hex()

    back = pickle.loads(bytes.fromhex(in_child({"copy": passed_on})["copy"]))
    assert back.predict(["abc", "d"]) == ["cba", "d"]
