"""What trains from the command line: files, limits, configs, presets, progress."""

import inspect
import json
import re
import signal
import tomllib
import types
from pathlib import Path

import numpy as np
import pytest
import typer
from checkout import code_blocks
from commands import runner
from typer.testing import CliRunner

from kseq2seq import Seq2SeqEnsemble, Seq2SeqEstimator, load
from kseq2seq.cli import make_app
from kseq2seq.cli.config import config_lines
from kseq2seq.cli.data import Limit, PairFiles, TooLong, limit_lengths
from kseq2seq.cli.estimator_options import with_estimator_options
from kseq2seq.cli.progress import EpochLines, LiveLine
from kseq2seq.cli.quickstart import make_pairs
from kseq2seq.cli.train import train
from kseq2seq.declarations import checked
from kseq2seq.estimators import PRESETS
from kseq2seq.persistence import Artifact, write_artifact
from kseq2seq.training.keras_fit import _wants_batches

SMALL = ("--units", 8, "--embedding-dim", 8, "--epochs", 1, "--random-state", 0)
SMALL += ("--no-bidirectional",)


@pytest.fixture(scope="module")
def app():
    return make_app()


@pytest.fixture
def run(app):
    return runner(app)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder to work in, with ten pairs in both forms."""
    monkeypatch.chdir(tmp_path)
    Path("pairs.tsv").write_text("AB\tb a\nBA\ta b\n" * 5)
    Path("s").write_text("AB\nBA\n" * 5)
    Path("t").write_text("b a\na b\n" * 5)
    return tmp_path


@pytest.fixture
def settings():
    """Return what `train` would be called with, without training."""
    seen = {}

    def command(**arguments):
        seen.update(arguments)

    command.__signature__ = inspect.signature(train, eval_str=True)
    app = typer.Typer()
    app.command()(with_estimator_options(command))

    def settings(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return seen | seen["parameters"]

    return settings


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_holds_parameters_of_the_estimator_as_json(name):
    preset = PRESETS[name]
    assert json.loads(json.dumps(preset)) == preset
    checked(Seq2SeqEstimator(**preset))


def test_command_line_before_config_before_preset_before_defaults(settings, folder):
    Path("run.toml").write_text(
        'preset = "translation"\nunits = 7\nbatch_size = 3\ndropout = 0\n'
        'source = "s"\ntoo_long = "cut"\npatience = "none"\nforbidden_tokens = ["a"]\n'
    )
    # also where the command line gives what is the default anyway
    got = settings("--config", "run.toml", "--units", 128, "--clip-norm", "none")
    assert got["units"] == 128 and got["clip_norm"] is None
    assert got["batch_size"] == 3 and got["patience"] is None
    assert got["dropout"] == 0.0 and isinstance(got["dropout"], float)
    assert got["cell"] == "gru" and got["num_layers"] == 1
    assert got["source"] == Path("s") and got["too_long"] is TooLong.cut
    assert got["forbidden_tokens"] == ["a"]
    assert settings("--preset", "translation", "--cell", "lstm")["cell"] == "lstm"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "units = 4\nbeam_sise = 3\n",
            "line 2: .* 'beam_sise'. Did you mean 'beam_size'",
        ),
        ("[training]\nunits = 4\n", "line 1: train has no option 'training'"),
        ("\nunits = 4.5\n", r"line 2: units must be a whole number; got 4.5 \(float\)"),
        ("units = true\n", "line 1: units must be a whole number; got True"),
        ("lowercase = 1\n", "line 1: lowercase must be true or false; got 1"),
        ("patience = 'no'\n", "patience must be a whole number or 'none'; got"),
        ("source = 3\n", "source must be a file's path or 'none'; got 3"),
        ("cell = ['gru']\n", "cell must be text; got"),
        ("too_long = 'keep'\n", "too_long must be 'cut', 'drop' or 'error'"),
        ("units = \n", r"run.toml is not a TOML file: .*line 1"),
        ("preset = 'translaton'\n", "preset must be .* Did you mean 'translation'"),
        ("a = " + "[" * 3000, "nested too deeply"),
    ],
)
def test_a_config_that_is_wrong_is_told_with_its_line(settings, folder, text, message):
    Path("run.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        settings("--config", "run.toml")


def test_a_config_may_begin_with_a_mark(settings, folder):
    Path("run.toml").write_text("units = 7\n", encoding="utf-8-sig")
    assert settings("--config", "run.toml")["units"] == 7


def test_pairs_of_the_command_line_come_before_those_of_the_config(settings, folder):
    Path("run.toml").write_text("source = 's'\ntarget = 't'\nvalidation = 'v'\n")
    found = settings("pairs.tsv", "--config", "run.toml")
    assert (found["pairs"], found["source"], found["target"]) == (
        Path("pairs.tsv"),
        None,
        None,
    )
    assert found["validation"] == Path("v")


@pytest.mark.parametrize("content", [b"", b"junk", b"\x80\x04N."])
def test_embeddings_that_are_no_array_are_told(settings, folder, content):
    Path("e.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"source_embedding: e\.npy is no array"):
        settings("--source-embedding", "e.npy")
    with pytest.raises(FileNotFoundError, match=r"there is no file f\.npy"):
        settings("--source-embedding", "f.npy")


def test_a_config_must_be_there_and_text(settings, folder):
    with pytest.raises(FileNotFoundError, match=r"there is no file no\.toml"):
        settings("--config", "no.toml")
    Path("run.toml").write_bytes(b"\xff")
    with pytest.raises(ValueError, match=r"run\.toml is not a TOML file"):
        settings("--config", "run.toml")


def test_a_models_settings_are_a_config_that_gives_them_again(run, settings, folder):
    files = ("--source", "s", "--target", "t")
    files += ("--validation-source", "s", "--validation-target", "t")
    search = ("--forced-prefix", "a", "--patience", "none", "--learning-rate", 1e-5)
    bpe = ("--source-tokenizer", "bpe:300", "--target-tokenizer", "whitespace")
    preset = (
        "--preset",
        "translation",
        "--attention-units",
        8,
        *bpe,
        *SMALL,
        *search,
        "--beam-size",
        2,
    )
    run("train", *files, *preset, "--model", "m")
    used = load("m").get_params()
    assert used["cell"] == "gru" and used["units"] == 8 and used["length_penalty"] == 1
    shown = run("info", "m", "--config")
    Path("run.toml").write_text(shown)
    again = settings("--config", "run.toml")["parameters"]
    assert again["forced_prefix"] == "a" and again["patience"] is None
    assert {name: used[name] for name in again} == again
    described = run("info", "m")
    assert tomllib.loads(described) == tomllib.loads(shown)
    assert "parameters" in described and "split by whitespace" in described
    report = json.loads(run("evaluate", "m", "pairs.tsv", "--json").splitlines()[-1])
    assert "case:lc" in report["bleu_signature"]
    assert "case:lc" in report["chrf_signature"]
    assert "nrefs:1|case:lc" in run("evaluate", "m", "pairs.tsv")


def test_configs_in_the_documentation_are_accepted(settings, folder):
    pages = (Path(__file__).parents[1] / "docs").glob("*.md")
    found = [block for page in pages for block in code_blocks(page)]
    blocks = [code for language, code in found if language == "toml"]
    assert blocks
    for block in blocks:
        Path("run.toml").write_text(block)
        assert settings("--config", "run.toml")["preset"] in PRESETS


def test_settings_that_only_python_gives_are_comments(folder):
    lines = config_lines(
        {
            "source_embedding": {"array": "parameters/source_embedding"},
            "source_tokenizer": {"tokenizers": "{}"},
            "target_tokenizer": {"tokenizer": "bpe:300"},
            "forced_prefix": 'é"\n\x7f',
            "source_vocabulary": None,
            "verbose": 0,
        }
    )
    text = "\n".join(lines)
    assert tomllib.loads(text) == {
        "target_tokenizer": "bpe:300",
        "forced_prefix": 'é"\n\x7f',
    }
    assert "# source_embedding: given in Python" in text


def test_a_model_that_train_does_not_make_has_no_config(run, tmp_path):
    described = {"parameters": {"units": 4}, "num_weights": 9, "history": {}}
    artifact = Artifact({"estimator": "SequenceClassifier", **described})
    path = write_artifact(tmp_path / "m", artifact)
    assert "SequenceClassifier" in run("info", path)
    with pytest.raises(ValueError, match="holds a SequenceClassifier"):
        run("info", path, "--config")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--source", "s"], "--target is missing: pass --source FILE with --target"),
        (["pairs.tsv", "--source", "s", "--target", "t"], "neither|got both"),
        (["pairs.tsv", "--validation-source", "s"], "--validation-target is missing"),
        (["pairs.tsv", "--validation-target", "t"], "--validation-source is missing"),
        (
            ["pairs.tsv", "--validation", "pairs.tsv", "--validation-source", "s"]
            + ["--validation-target", "t"],
            "as --validation FILE, or as --validation-source FILE with .*; got both",
        ),
        (["pairs.tsv", "--validation", "no.tsv"], r"there is no file no\.tsv"),
        (
            ["pairs.tsv", "--max-source-length", "0"],
            "max_source_length must be a whole",
        ),
        (["pairs.tsv", "--early-stopping-metric", "blue"], "Did you mean 'bleu'"),
        (
            ["pairs.tsv", "--checkpoint", "model.kseq2seq"],
            "--model and --checkpoint are both model.kseq2seq",
        ),
    ],
)
def test_files_and_options_that_do_not_fit_are_told(run, folder, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        run("train", *arguments, *SMALL)
    assert not Path("model.kseq2seq").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--model", "pairs.tsv"],
        ["--model", "link.tsv"],
        ["--model", "dev.tsv", "--validation", "dev.tsv"],
        ["--model", "c.toml", "--config", "c.toml"],
        ["--checkpoint", "../{name}/pairs.tsv"],
        ["--checkpoint", "dev.tsv", "--ensemble", "2", "--validation", "dev.1.tsv"],
    ],
)
def test_no_file_that_is_read_is_written_over(run, folder, arguments):
    Path("link.tsv").symlink_to("pairs.tsv")
    Path("c.toml").write_text("units = 8\n")
    for name in ("dev.tsv", "dev.1.tsv"):
        Path(name).write_text("AB\tb a\n")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    arguments = [argument.format(name=folder.name) for argument in arguments]
    with pytest.raises(ValueError, match="written over, and this command reads it"):
        run("train", "pairs.tsv", *SMALL, *arguments, "--overwrite")
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_checkpoint_may_be_no_other_name_of_the_model(run, folder):
    Path("link").symlink_to("model.kseq2seq")
    with pytest.raises(ValueError, match="--model and --checkpoint are both"):
        run("train", "pairs.tsv", "--checkpoint", "link")


def test_pairs_with_an_empty_side_are_dropped_and_told(folder, capsys):
    Path("s").write_text("a\n \nc\n\n")
    Path("t").write_text("A\nB\n\nD\n")
    files = PairFiles(None, Path("s"), Path("t"))
    assert files.load_filled() == (["a"], ["A"])
    said = capsys.readouterr().out
    assert said == "3 pairs with an empty side (the first: s, line 2): dropped\n"
    Path("s").write_text("\n\n\n\n")
    with pytest.raises(ValueError, match="s, line 1: every pair is empty on one side"):
        files.load_filled()
    Path("pairs.tsv").write_text("")
    with pytest.raises(ValueError, match=r"pairs\.tsv is empty"):
        PairFiles(Path("pairs.tsv"), None, None).load_filled()


LONG = (["a b c", "d", "e f g h"], ["x", "uvw", "y"])


@pytest.mark.parametrize(
    ("too_long", "expected", "done"),
    [
        ("cut", (["a b", "d", "e f"], ["x", "uv", "y"]), "cut"),
        ("drop", ([], []), "dropped"),
    ],
)
def test_texts_over_the_limits_are_cut_or_dropped(too_long, expected, done, capsys):
    limits = Limit("source", 2, "bpe:300"), Limit("target", 2, "char")
    pairs = [*LONG[0], "fits"], [*LONG[1], "z"]
    expected = [*expected[0], "fits"], [*expected[1], "z"]
    assert limit_lengths(pairs, limits, TooLong(too_long)) == expected
    assert capsys.readouterr().out == (
        "3 pairs with more than 2 words in the source or more than 2 characters in the "
        f"target: {done}\n"
    )


def test_a_limit_may_be_an_error_and_must_leave_pairs(capsys):
    limits = Limit("source", 2, "whitespace"), Limit("target", None, "char")
    with pytest.raises(ValueError, match="2 pairs with more than 2 words .*'a b c'"):
        limit_lengths(LONG, limits, TooLong.error)
    tight = Limit("source", 1, "char"), Limit("target", None, "char")
    assert limit_lengths((["a"], ["b"]), tight, TooLong.error) == (["a"], ["b"])
    with pytest.raises(ValueError, match="no pair is left: 1 pair with"):
        limit_lengths((["ab"], ["b"]), tight, TooLong.drop)
    assert capsys.readouterr().out == ""


def test_limits_reach_the_training(run, folder):
    Path("pairs.tsv").write_text("ab\tx\n" * 4 + "abcdef\ty\n" * 3)
    limits = ("--max-source-length", 3, "--validation-fraction", 0)
    shown = run("train", "pairs.tsv", *SMALL, *limits, "--model", "m")
    assert (
        "3 pairs with more than 3 characters in the source: dropped\n4 pairs" in shown
    )
    assert "y" not in load("m").target_vocabulary_.tokens


def progress(kind, monkeypatch, *, epochs=4, steps=10):
    """Return lines of progress for ten targets of 4 tokens, with a clock to set."""
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr("kseq2seq.cli.progress.time.perf_counter", lambda: clock.now)
    lines = kind(["abcd"] * 10, held_back=0.2)
    lines.attach(None, [], [], tokens=lambda texts: [list(text) for text in texts])
    lines.set_params({"epochs": epochs, "steps": steps})
    lines.set_model(None)
    lines.on_train_begin()
    return lines, clock


def test_an_epochs_line_tells_speed_and_time_left(monkeypatch, capsys):
    lines, clock = progress(EpochLines, monkeypatch)
    lines.on_epoch_begin(0)
    clock.now = 4.0
    lines.on_test_begin()  # what follows is no training
    clock.now = 40.0
    lines.on_epoch_end(0, {"loss": 1.0, "val_loss": 2.0, "val_bleu": 3.0, "other": 9.0})
    assert capsys.readouterr().out == (
        "epoch   1  loss 1.0000  val_loss 2.0000  BLEU 3.00  10 tokens/s  "
        "2 min 0 s left\n"  # 8 pairs of 5 tokens, END included, in 4 s
    )
    for epoch, now in ((1, 50.0), (2, 60.0), (3, 62.0)):
        lines.on_epoch_begin(epoch)
        clock.now = now
        lines.on_epoch_end(epoch, {"loss": 1.0})
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "epoch   4  loss 1.0000  20 tokens/s"


def test_time_left_after_a_checkpoint_counts_the_epochs_of_this_run(
    monkeypatch, capsys
):
    lines, clock = progress(EpochLines, monkeypatch)
    lines.on_epoch_begin(2)
    clock.now = 5.0
    lines.on_epoch_end(2, {"loss": 1.0})
    assert capsys.readouterr().out.endswith("  5 s left\n")
    kept = [v for v in vars(lines).values() if isinstance(v, float)]
    assert all(value not in (0.0, 5.0) for value in kept)  # a checkpoint keeps numbers


def test_a_live_line_is_written_over_and_not_too_often(monkeypatch, capsys):
    lines, clock = progress(LiveLine, monkeypatch, epochs=2)
    assert not _wants_batches(lines)  # runs of batches stay runs
    lines.on_epoch_begin(0)
    for batch, now in ((1, 0.1), (4, 2.0), (9, 2.1)):
        clock.now = now
        lines.on_train_batch_end(batch, {"loss": 1.5})
    clock.now = 4.0
    lines.on_epoch_end(0, {"loss": 1.0})
    over = "\r"  # where no terminal is, the code that clears the line is left out
    assert capsys.readouterr().out == (
        f"{over}epoch   1   50%  loss 1.5000  10 tokens/s  6 s left"
        f"{over}epoch   1  loss 1.0000  10 tokens/s  4 s left\n"
    )


@pytest.mark.parametrize("kind", [EpochLines, LiveLine])
def test_the_line_of_an_interrupted_epoch_says_so(kind, monkeypatch, capsys):
    lines, clock = progress(kind, monkeypatch)
    lines.on_epoch_begin(0)
    clock.now = 0.1
    lines.on_train_batch_end(3, {"loss": 1.5})
    clock.now = 2.0
    lines.on_test_begin()
    lines.on_epoch_end(0, {"loss": 1.0, "val_loss": 2.0})
    assert capsys.readouterr().out.lstrip("\r") == (
        "epoch   1  loss 1.0000  val_loss 2.0000  8 tokens/s  interrupted at 40%\n"
    )  # 0.4 of 8 pairs of 5 tokens in 2 s


@pytest.mark.slow
def test_training_ends_by_what_decoded_answers_are_worth(run, folder):
    stop = ("--early-stopping-metric", "chrf", "--patience", 1, "--epochs", 6)
    files = ("pairs.tsv", "--validation", "pairs.tsv", "--model", "m")
    shown = run("train", *files, *SMALL, *stop, "--learning-rate", 1e-6)
    chrf = load("m").history_["val_chrf"]
    assert len(chrf) == 2 and chrf[1] <= chrf[0]
    assert "chrF" in shown and "BLEU" in shown


def test_after_an_interrupt_the_same_command_goes_on(run, folder, monkeypatch):
    command = ("train", "pairs.tsv", *SMALL, "--epochs", 3, "--validation-fraction", 0)
    command += ("--checkpoint", "run.kseq2seq", "--json")
    with monkeypatch.context() as broken, pytest.warns(match="interrupted"):
        broken.setattr(
            EpochLines, "on_epoch_end", lambda *_: signal.raise_signal(signal.SIGINT)
        )
        shown = run(*command, code=130)
    assert "interrupted: the same command again resumes from run.kseq2seq" in shown
    assert json.loads(shown.splitlines()[-1])["model"] == "run.kseq2seq"
    assert not Path("model.kseq2seq").exists()
    shown = run(*command)
    assert "resuming from run.kseq2seq after epoch 1" in shown
    assert [line[:9] for line in shown.splitlines() if "loss" in line][:2] == [
        "epoch   2",
        "epoch   3",
    ]
    report = json.loads(shown.splitlines()[-1])
    assert report["epochs"] == 3
    speed = 2 * 10 / report["train_seconds"]  # of the pairs of this run
    assert report["pairs_per_second"] == pytest.approx(speed, rel=0.2)
    assert load("model.kseq2seq").history_["loss"][2] > 0


def test_a_training_goes_on_from_its_checkpoint_for_more_epochs(run, folder):
    command = ("train", "pairs.tsv", *SMALL, "--checkpoint", "run.kseq2seq")
    run(*command)
    first = load("model.kseq2seq")
    shown = run(*command, "--overwrite")
    assert "epoch" not in shown
    assert "run.kseq2seq: nothing is left to train" in shown
    again = load("model.kseq2seq")
    for a, b in zip(
        first.models_.training.weights, again.models_.training.weights, strict=True
    ):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="dropout was None and is 0.1"):
        run(*command, "--overwrite", "--dropout", 0.1)
    shown = run(*command, "--overwrite", "--epochs", 3)
    assert "resuming from run.kseq2seq after epoch 1" in shown
    assert [line[:9] for line in shown.splitlines() if "loss" in line] == [
        "epoch   2",
        "epoch   3",
    ]
    assert len(load("model.kseq2seq").history_["loss"]) == 3


def test_a_training_that_was_stopped_early_stays_so(run, folder):
    command = ("train", "pairs.tsv", *SMALL, "--tol", 99, "--label-smoothing", 0)
    command += ("--checkpoint", "run.kseq2seq", "--overwrite", "--epochs")
    run(*command, 2)
    shown = run(*command, 3)
    assert "run.kseq2seq: nothing is left to train, as it was stopped early" in shown
    assert len(load("model.kseq2seq").history_["loss"]) == 1


def test_an_interrupted_extension_is_no_finished_model(run, folder, monkeypatch):
    command = ("train", "pairs.tsv", *SMALL, "--checkpoint", "run.kseq2seq")
    command += ("--validation-fraction", 0, "--batch-size", 2)
    run(*command)
    before = Path("model.kseq2seq").read_bytes()
    interrupt(monkeypatch)
    with pytest.warns(match="interrupted"):
        shown = run(*command, "--overwrite", "--epochs", 3, code=130)
    assert "epoch   2  loss" in shown and "interrupted at " in shown
    assert "the same command again resumes from run.kseq2seq" in shown
    assert Path("model.kseq2seq").read_bytes() == before


def test_without_a_checkpoint_an_interrupt_leaves_the_model(run, folder, monkeypatch):
    interrupt(monkeypatch)
    with pytest.warns(match="interrupted"):
        options = ("--batch-size", 2, "--validation-fraction", 0.2, "--json")
        shown = run("train", "pairs.tsv", *SMALL, *options, code=130)
    assert "wrote model.kseq2seq" in shown
    assert load("model.kseq2seq").predict(["AB"])
    share = int(re.search(r"interrupted at (\d+)%", shown)[1]) / 100
    report = json.loads(shown.splitlines()[-1])
    speed = share * 8 / report["train_seconds"]  # of the pairs that it trained on
    assert share < 1
    assert report["pairs_per_second"] == pytest.approx(speed, rel=0.1, abs=0.1)


def test_an_interrupted_quickstart_keeps_the_model_and_says_so(
    run, folder, monkeypatch
):
    monkeypatch.setitem(make_pairs.__globals__, "NUM_TEST", 20)
    interrupt(monkeypatch)
    with pytest.warns(match="interrupted"):
        shown = run("quickstart", "--samples", 200, "--output", "quick", code=130)
    assert "interrupted at " in shown and "The model is quick/dates" in shown
    assert load("quick/dates.kseq2seq").history_


def test_an_interrupt_before_training_has_the_same_exit_code(run, folder, monkeypatch):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(PairFiles, "load_filled", interrupted)
    run("train", "pairs.tsv", *SMALL, code=130)


def interrupt(monkeypatch):
    """Be a Ctrl-C after the first step of a training."""
    monkeypatch.setattr(
        EpochLines,
        "on_train_batch_begin",
        lambda *_, **__: signal.raise_signal(signal.SIGINT),
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A model file of the pairs in `folder`, for trainings that go on from it."""
    X, y = ["AB", "BA"] * 5, ["b a", "a b"] * 5
    estimator = Seq2SeqEstimator(
        **{"units": 8, "embedding_dim": 8, "epochs": 1, "random_state": 0},
        **{"bidirectional": False, "validation_fraction": 0.0, "batch_size": 5},
    )
    return estimator.fit(X, y).save(tmp_path_factory.mktemp("base") / "base.kseq2seq")


def test_a_training_goes_on_from_a_model_with_new_pairs(run, folder, base):
    Path("new.tsv").write_text("AAB\tb a a\nBBA\ta b b\n" * 3)
    shown = run("train", "new.tsv", "--from", base, "--learning-rate", 1e-9)
    assert "6 pairs" in shown and "epoch   1" in shown and "epoch   2" not in shown
    before, after = load(base), load("model.kseq2seq")
    for one, other in zip(
        before.models_.training.weights, after.models_.training.weights, strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-6)
    assert after.batch_size == 5 and after.units == 8  # the model's own
    assert after.learning_rate == 1e-9


def test_new_tokens_are_told_and_may_get_places(run, folder, base):
    Path("new.tsv").write_text("CAB\tb a c\n" * 4)
    command = ("train", "new.tsv", "--from", base, "--overwrite")
    with pytest.warns(match="tokens of y, .* are unknown.*extend_vocabulary=True"):
        run(*command)
    assert load("model.kseq2seq").target_vocabulary_.tokens == [" ", "a", "b"]
    run(*command, "--extend-vocabulary")
    grown = load("model.kseq2seq")
    assert grown.target_vocabulary_.tokens[-1] == "c"
    assert grown.source_vocabulary_.tokens[-1] == "C"


def test_a_config_may_say_what_to_go_on_from(settings, folder):
    Path("run.toml").write_text('from = "m"\nepochs = 3\n')
    found = settings("--config", "run.toml", "--units", 4)
    assert found["from_model"] == Path("m")
    assert sorted(found["chosen"]) == ["epochs", "units"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--units", 9], r"units is 8 \(int\) in .*base.* got 9 \(int\). Leave it out"),
        (["--lowercase"], "lowercase is False .*, and must stay so"),
        (["--target-tokenizer", "word"], "target_tokenizer is 'char'"),
        (["--preset", "translation"], "must stay so where training goes on"),
    ],
)
def test_what_a_model_is_made_of_stays_where_it_goes_on(
    run, folder, base, arguments, message
):
    with pytest.raises(ValueError, match=message):
        run("train", "pairs.tsv", "--from", base, *arguments)


def test_going_on_needs_a_model_of_sequences(run, folder):
    from strategies import LABELS, X, small_classifier

    path = small_classifier().fit(X, LABELS).save("c.kseq2seq")
    with pytest.raises(ValueError, match="SequenceClassifier, which train is not for"):
        run("train", "pairs.tsv", "--from", path)
    with pytest.raises(FileNotFoundError, match=r"no file no\.kseq2seq"):
        run("train", "pairs.tsv", "--from", "no.kseq2seq")


def test_going_on_with_a_checkpoint_resumes(run, folder, base):
    Path("new.tsv").write_text("CAB\tb a c\n" * 4)
    command = ("train", "new.tsv", "--from", base, "--extend-vocabulary")
    command += ("--checkpoint", "run.kseq2seq", "--overwrite")
    run(*command, "--epochs", 1)
    shown = run(*command, "--epochs", 2)
    assert "resuming from run.kseq2seq after epoch 1" in shown
    grown = load("model.kseq2seq")
    assert len(grown.history_["loss"]) == 2
    assert grown.target_vocabulary_.tokens[-1] == "c"


def test_wide_files_give_their_columns(run, folder, base):
    Path("wide.tsv").write_text("id\tsource\ttarget\n" + "1\tAB\tb a\n" * 4)
    Path("valid.tsv").write_text("target\tid\tsource\nb a\t1\tAB\n")
    columns = ("--columns", "source,target")
    shown = run(
        *("train", "wide.tsv", "--validation", "valid.tsv", *columns),
        *("--from", base, "--model", "m"),
    )
    assert "4 pairs" in shown and "validation:" in shown
    with pytest.raises(ValueError, match=r"line 1: expected source TAB target.*column"):
        run("evaluate", "m", "wide.tsv")


def test_columns_are_of_one_file_and_two(folder):
    wide = Path("wide.tsv")
    wide.write_text("x\ts\tt\n1\tA\tb\n2\t\td\n")
    files = PairFiles(wide, None, None, columns="s, 3")
    assert files.load() == (["A", ""], ["b", "d"])
    assert files.place(1) == "wide.tsv, line 3"
    assert PairFiles(wide, None, None, columns="1,2").place(1) == "wide.tsv, line 2"
    with pytest.raises(ValueError, match="--columns must be SOURCE,TARGET, .* got '2'"):
        PairFiles(wide, None, None, columns="2").check()
    with pytest.raises(ValueError, match="--columns is for pairs as one TSV file"):
        PairFiles(None, Path("s"), Path("t"), columns="1,2").check()


def test_an_interrupt_in_the_first_epoch_leaves_nothing_in_the_way(
    run, folder, monkeypatch
):
    command = ("train", "pairs.tsv", *SMALL, "--checkpoint", "run.kseq2seq")
    with monkeypatch.context() as broken, pytest.warns(match="interrupted"):
        broken.setattr(
            EpochLines,
            "on_train_batch_end",
            lambda *_, **__: signal.raise_signal(signal.SIGINT),
        )
        shown = run(*command, "--batch-size", 2, code=130)
    assert "nothing is kept" in shown
    assert not Path("model.kseq2seq").exists() and not Path("run.kseq2seq").exists()


def test_a_models_config_has_its_shared_vocabulary(run, folder):
    run("train", "pairs.tsv", *SMALL, "--shared-vocabulary")
    assert "shared_vocabulary = true" in run("info", "model.kseq2seq", "--config")


def test_an_ensemble_is_trained_and_every_command_takes_its_file(run, folder):
    command = ("train", "pairs.tsv", *SMALL, "--epochs", 2, "--ensemble", 2)
    shown = run(*command, "--checkpoint", "run.kseq2seq", "--json")
    assert "model 1 of 2" in shown and "model 2 of 2" in shown
    ensemble = load("model.kseq2seq")
    assert isinstance(ensemble, Seq2SeqEnsemble) and ensemble.random_state == 0
    first, second = ensemble.estimators_
    assert first.random_state != second.random_state
    report = json.loads(shown.splitlines()[-1])
    assert report["epochs"] == 4
    assert report["parameters"] == 2 * first.models_.training.count_params()
    Path("sources").write_text("AB\n")
    options = ("--beam-size", 2, "--scores")
    (line,) = run("predict", "model.kseq2seq", "sources", *options).splitlines()
    ensemble.set_params(estimator__beam_size=2)
    ((answer, score),) = ensemble.predict_with_scores(["AB"])
    assert line == f"{score:.4f}\t{answer}"
    assert "exact match" in run("evaluate", "model.kseq2seq", "pairs.tsv")
    shown = run("info", "model.kseq2seq", "--json")
    assert "members  2" in shown
    assert json.loads(shown.splitlines()[-1])["epochs"] == 4
    config = run("info", "model.kseq2seq", "--config")
    again = tomllib.loads(config)
    assert (again["ensemble"], again["random_state"], again["units"]) == (2, 0, 8)
    Path("again.toml").write_text(config)
    run("train", "pairs.tsv", "--config", "again.toml", "--model", "again.kseq2seq")
    assert load("again.kseq2seq").predict(["AB"]) == load("model.kseq2seq").predict(
        ["AB"]
    )
    shown = run(*command, "--checkpoint", "run.kseq2seq", "--overwrite")
    assert "run.2.kseq2seq: nothing is left to train" in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ensemble", 1], "--ensemble must be a whole number from 2 to 100; got 1"),
        (["--ensemble", 2, "--from", "m.kseq2seq"], "--ensemble trains its models"),
    ],
)
def test_what_an_ensemble_is_not_is_told_first(run, folder, options, message):
    with pytest.raises(ValueError, match=message):
        run("train", "pairs.tsv", *options)


def test_training_does_not_go_on_from_an_ensemble(run, folder):
    run("train", "pairs.tsv", *SMALL, "--ensemble", 2)
    with pytest.raises(ValueError, match="holds an ensemble"):
        run("train", "pairs.tsv", "--from", "model.kseq2seq", "--model", "m")


def test_an_interrupt_before_two_members_are_done_keeps_nothing(
    run, folder, monkeypatch
):
    interrupt(monkeypatch)
    with pytest.warns(match="training ended early"):
        options = (*SMALL, "--batch-size", 2, "--ensemble", 2)
        shown = run("train", "pairs.tsv", *options, code=130)
    assert "interrupted after 0 of 2 members" in shown
    assert not Path("model.kseq2seq").exists()
