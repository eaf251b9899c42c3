"""Training on several devices, in several processes and on a cluster."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from strategies import X, Y, small_estimator

SCRIPTS = Path(__file__).with_name("devices")


def start(script, *arguments):
    """Start a script in a process of its own."""
    command = [sys.executable, str(SCRIPTS / script), *map(str, arguments)]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
    )


def printed(process, lines=1):
    """Return the JSON values of the last lines that a process printed."""
    shown, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors[-2000:]
    found = [json.loads(line) for line in shown.splitlines()[-lines:]]
    return found if lines > 1 else found[0]


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, values in one.items():
        np.testing.assert_allclose(other[name], values, rtol=1e-4)


@pytest.mark.slow
def test_two_devices_of_a_mirrored_strategy_learn_as_one():
    one, two = (printed(start("mirrored.py", n), lines=2) for n in (1, 2))
    ((answering, classifying, refused), answers) = one
    assert refused == ""
    assert_same(answering, two[0][0])
    assert_same(classifying, two[0][1])
    assert answering["loss"][-1] < answering["loss"][0]
    assert "a batch of 15 cannot be shared evenly by 2 devices" in two[0][2]
    assert two[1] == answers


@pytest.mark.slow
def test_two_processes_of_data_parallel_jax_learn_as_one():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    whole = printed(start("data_parallel.py", 0, 1, port))
    both = [start("data_parallel.py", rank, 2, port) for rank in (0, 1)]
    for history, total in map(printed, both):
        assert_same(whole[0], history)
        np.testing.assert_allclose(total, whole[1], rtol=1e-5)
    assert whole[0]["loss"][-1] < whole[0]["loss"][0]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_grid_is_searched_on_a_cluster():
    import joblib
    from distributed import Client, LocalCluster

    estimator = small_estimator()
    search = GridSearchCV(estimator, {"random_state": [0, 1]}, cv=2, refit=False)
    with (
        LocalCluster(1, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster),
        joblib.parallel_config("dask"),
    ):
        search.fit(X, Y)
    alone = clone(search).fit(X, Y)
    for name in ("params", "mean_test_score"):
        assert list(search.cv_results_[name]) == list(alone.cv_results_[name])
