"""The benchmark on MNIST, with a few made pictures in place of its digits."""

import json
import re

import numpy as np
import pytest
from checkout import load_benchmarks

load_benchmarks()

from benchmarks import mnist  # noqa: E402


@pytest.fixture
def data(tmp_path):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, size=(60, 28, 28), dtype=np.uint8)
    labels = np.resize(np.arange(10), 60)
    arrays = {"x_train": pictures, "y_train": labels}
    test = {"x_test": pictures[:20], "y_test": labels[:20]}
    np.savez(tmp_path / "mnist.npz", **arrays, **test)
    return tmp_path


def test_rows_and_pictures_are_written(data, tmp_path, monkeypatch):
    output = tmp_path / "docs"
    output.mkdir()
    for setting in (mnist.AS_PUBLISHED, mnist.BEST, mnist.COLUMNS):
        monkeypatch.setitem(setting, "epochs", 1)
    mnist.main([str(data), "--output", str(output)])
    rows = json.loads((output / "results.json").read_text())["rows"]
    assert [row["role"] for row in rows] == [
        "published setting",
        "other",
        "best",
        "other",
    ]
    for row in rows:
        assert row["setting"]["epochs"] == 1
        errors = {name: row["ours"][name] for name in row["ours"] if "test" in name}
        assert len(errors) == 4 and all(0 < error < 1 for error in errors.values())
    assert rows[0]["published"]["epoch_11"] == 0.0186
    assert (output / "mnist.png").read_bytes().startswith(b"\x89PNG")


def test_dev_pictures_are_the_last_sixth_of_those_to_train_on(data):
    train, dev = mnist.load(data, dev=True)
    whole, _ = mnist.load(data, dev=False)
    assert len(train.labels) == 50 and len(dev.labels) == 10
    np.testing.assert_array_equal(dev.pictures, whole.pictures[50:])


PICTURES, DIGITS = np.zeros((60, 28, 28), np.uint8), np.resize(np.arange(10), 60)


def arrays(**changed):
    known = {"x_train": PICTURES, "y_train": DIGITS}
    return {**known, "x_test": PICTURES, "y_test": DIGITS, **changed}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "mnist.npz"),
        (b"", "must be the file of keras.datasets.mnist"),
        (b"PK\x03\x04 and no more", "must be the file of keras.datasets.mnist"),
        (DIGITS, "must be the file of keras.datasets.mnist"),
        ({"x_train": PICTURES}, "y_train is not a file in the archive"),
        (arrays(x_test=PICTURES[:, :27]), r"pictures \(n, 28, 28\) of bytes"),
        (arrays(x_train=PICTURES / 255), r"of bytes with n labels; got .*float64"),
        (arrays(y_train=DIGITS[:50]), "with n labels"),
        (arrays(y_test=np.zeros(60, np.uint8)), r"all ten digits; got \[0\]"),
    ],
)
def test_other_files_are_errors_of_the_command(tmp_path, capsys, content, message):
    path = tmp_path / "mnist.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    elif content is not None:
        with path.open("wb") as file:
            np.save(file, content)
    with pytest.raises(SystemExit):
        mnist.main([str(tmp_path), "--output", str(tmp_path)])
    assert re.search(message, capsys.readouterr().err)


def test_a_picture_that_cannot_be_written_is_told_before_training(data, capsys):
    (data / "mnist.png").mkdir()
    with pytest.raises(SystemExit):
        mnist.main([str(data), "--output", str(data)])
    assert "mnist.png is a folder" in capsys.readouterr().err


def test_changes_follow_the_seed_and_move_no_more_than_they_may():
    dot = np.zeros((50, 28, 28), "float32")
    dot[:, 13:15, 13:15] = 1
    changed = mnist.Changes(3)(dot)
    np.testing.assert_array_equal(changed, mnist.Changes(3)(dot))
    assert changed.shape == dot.shape and 0 <= changed.min() <= changed.max() <= 1
    rows, columns = np.indices((28, 28)) - 13.5
    for axis in (rows, columns):
        weight = changed.sum((1, 2))
        centre = (changed * axis).sum((1, 2)) / weight
        assert 1 < np.abs(centre).max() <= 0.2 * 28 + 1
