"""The benchmark on Multi30k, with models and captions of a size for a test."""

import gzip
import json
from dataclasses import replace

import pytest
from checkout import load_benchmarks

load_benchmarks()

from benchmarks import multi30k  # noqa: E402
from benchmarks.exercises import results  # noqa: E402

SMALL = {"units": 16, "embedding_dim": 16, "batch_size": 32, "epochs": 2}


@pytest.fixture
def folder(tmp_path):
    """A data folder whose captions are numbers, in words of two languages."""
    numbers = {"eins": "one", "zwei": "two", "drei": "three", "vier": "four"}
    words = [*numbers]
    for part, count in (("train", 96), ("val", 16), ("test_2016_flickr", 16)):
        captions = [
            [words[i % 4], words[i // 4 % 4], words[i // 16 % 4]] for i in range(count)
        ]
        for side, texts in (
            ("de", captions),
            ("en", [[numbers[word] for word in caption] for caption in captions]),
        ):
            with gzip.open(tmp_path / f"{part}.{side}.gz", "wt") as file:
                file.write("".join(f"{' '.join(text)}.\n" for text in texts))
    return tmp_path


@pytest.fixture
def small(monkeypatch):
    """Make a model small, and return what trains it."""

    def shrink(name):
        model = multi30k.MODELS[name]
        bpe = {"source_tokenizer": "bpe:300", "target_tokenizer": "bpe:300"}
        own = {**SMALL, **({} if model.answers_freely else bpe)}
        setting = {**model.setting, **own}
        monkeypatch.setitem(multi30k.MODELS, name, replace(model, setting=setting))

    return shrink


def test_answers_that_are_learned_backwards_are_read_forwards():
    text = "Two men, in a boat."
    assert multi30k.backwards(text)[-2:] == ["men", "two"]
    assert multi30k.as_text(multi30k.backwards(text)) == text.lower()
    assert multi30k.as_text(text) == text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "published"),
    [
        ("lstm", "test_loss_free_running"),
        ("lstm, source and answer reversed", "test_loss_free_running"),
        ("translation", "test_2016_bleu_beam5"),
    ],
)
def test_a_row_of_figures_is_measured_and_kept(name, published, folder, small):
    small(name)
    where = ["--output", str(folder), "--checkpoints", str(folder)]
    multi30k.main([str(folder), name, *where])
    (row,) = results.read(folder / results.JSON_NAME)
    assert row["model"] == name
    assert row["epochs"] == 2
    assert row["parameters"] > 1000
    assert 0 < row["target_tokens_per_second"] < 1e7
    assert row[published] >= 0
    assert "case:lc" in row["signature"]
    assert name in (folder / results.TABLE_NAME).read_text()

    multi30k.main([str(folder), name, *where])  # trained to the end: measured alone
    (again,) = results.read(folder / results.JSON_NAME)
    passing = ("time",)
    assert json.dumps({**again, **dict.fromkeys(passing)}) == json.dumps(
        {**row, **dict.fromkeys(passing)}
    )


@pytest.mark.parametrize("missing", ["train.de.gz", "test_2016_flickr.en.gz"])
def test_files_that_are_missing_are_told_before_training(folder, capsys, missing):
    (folder / missing).unlink()
    with pytest.raises(SystemExit):
        multi30k.main([str(folder), "--output", str(folder)])
    assert missing in capsys.readouterr().err


def test_a_folder_of_checkpoints_is_there_before_training(folder, capsys):
    where = ["--output", str(folder), "--checkpoints", str(folder / "none")]
    with pytest.raises(SystemExit):
        multi30k.main([str(folder), *where])
    assert "none does not exist" in capsys.readouterr().err
