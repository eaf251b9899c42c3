"""The benchmark on small real data, with data and models of a size for a test."""

import re

import pytest
from checkout import load_benchmarks

load_benchmarks()

from benchmarks import small_data  # noqa: E402
from benchmarks.exercises import results  # noqa: E402

SMALL = {"units": 8, "embedding_dim": 8, "epochs": 1}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A data folder with a set of two parts, one of which has no dev file."""
    lines = [f"{'ab'[i % 2]}{'cd'[i // 2 % 2]}\tx y\tF;G\n" for i in range(12)]
    for name in ("one_train", "one_test", "one_dev", "two_train", "two_test"):
        (tmp_path / f"{name}.tsv").write_text("".join(lines))
    one = small_data.Part("one", "one_train.tsv", "one_test.tsv", "one_dev.tsv")
    small = small_data.DataSet(
        parts=[one, small_data.Part("two", "two_train.tsv", "two_test.tsv")],
        setting={**SMALL, "target_tokenizer": "whitespace"},
        best={"units": 6},
        published={"others": 12.5},
        reading={"columns": (1, 2, 3), "features": ";"},
    )
    monkeypatch.setattr(small_data, "SETS", {"small": small})
    monkeypatch.setattr(small_data, "DEFAULT_SEEDS", 2)
    monkeypatch.setattr(small_data, "BEST_SEEDS", 2)
    return tmp_path


def run(folder, *more):
    where = ["--output", str(folder), "--fits", str(folder / "fits")]
    small_data.main([str(folder), "small", *where, *more])
    return {row["model"]: row for row in results.read(folder / results.JSON_NAME)}


@pytest.mark.slow
def test_each_fit_is_kept_and_the_test_set_is_measured_when_asked(folder, monkeypatch):
    rows = run(folder)
    assert [*rows] == [
        "small: defaults",
        "small: best",
        "small: five together",
    ]
    assert [*rows["small: best"]["figures"]] == ["dev"]
    assert [*rows["small: best"]["figures"]["dev"]["parts"]] == ["one"]

    def no_fit(*args, **kwargs):
        raise AssertionError("trained again")

    monkeypatch.setattr(small_data.Seq2SeqEstimator, "fit", no_fit)
    again = run(folder, "--test")
    best = again["small: best"]
    assert best["seconds"] == rows["small: best"]["seconds"]
    assert best["figures"]["dev"] == rows["small: best"]["figures"]["dev"]
    assert [*best["figures"]["test"]["parts"]] == ["one", "two"]
    assert 0 <= best["figures"]["test"]["mean"] <= 100
    assert best["figures"]["test"]["spread"] >= 0
    assert again["small: five together"]["figures"]["test"]["spread"] is None
    (line,) = [
        line
        for line in (folder / results.TABLE_NAME).read_text().splitlines()
        if line.startswith("| small: best")
    ]
    assert "others 12.5" in line
    assert "units 6" in line
    assert "one " in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}", "large"], r"unknown: \['large'\]; expected some of \['small'\]"),
        (["{folder}/none", "small"], "No such file"),
    ],
)
def test_bad_arguments_are_refused_before_hours_are_spent(
    arguments, message, folder, capsys
):
    with pytest.raises(SystemExit, match="2"):
        small_data.main([argument.format(folder=folder) for argument in arguments])
    assert re.search(message, capsys.readouterr().err)
