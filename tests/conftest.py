"""What every test may use; the environment is set before a backend is imported."""

import os
import sys
import warnings

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("MPLBACKEND", "agg")
if "PYTEST_XDIST_WORKER" in os.environ:  # a process a core: threads would only wait
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")

import numpy as np
import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("ci")


def pytest_collection_modifyitems(config, items):
    """Leave out what this backend cannot do; put first what takes long."""
    import keras

    backend = keras.backend.backend()
    others = [
        item
        for item in items
        if any(backend not in mark.args for mark in item.iter_markers("backends"))
    ]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in others]
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


@pytest.fixture(scope="session")
def reversed_words():
    """Pairs of a word over four letters and the same backwards."""
    rng = np.random.default_rng(0)
    words = [
        "".join(rng.choice(list("abcd"), size=rng.integers(1, 5))) for _ in range(240)
    ]
    return words, [word[::-1] for word in words]


@pytest.fixture(scope="session")
def fitted(reversed_words):
    """An estimator that has learned to reverse; tests must not change it."""
    from kseq2seq import Seq2SeqEstimator

    estimator = Seq2SeqEstimator(
        units=48,
        dropout=0.0,
        learning_rate=0.01,
        epochs=25,
        batch_size=16,
        validation_fraction=0.0,
        random_state=0,
    )
    return estimator.fit(*reversed_words)


@pytest.fixture
def main_here(monkeypatch, capsys):
    """Run the command line in this process; return its exit code and what it showed."""
    from kseq2seq import cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["kseq2seq", *map(str, arguments)])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return stop.value.code, capsys.readouterr()

    return run
