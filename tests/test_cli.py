import inspect
import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from commands import runner
from typer.testing import CliRunner

import kseq2seq
from kseq2seq import Seq2SeqEstimator, load
from kseq2seq.cli import make_app
from kseq2seq.datasets import load_pairs
from kseq2seq.metrics import bleu, exact_match

TRAIN = [
    *("train", "--units", "8", "--epochs", "1", "--random-state", "0"),
    *("--no-bidirectional", "--validation-fraction", "0"),
]
DIVERGES = [
    *("--optimizer", "sgd", "--learning-rate", "1e38", "--clip-norm", "none"),
    *("--cell", "rnn", "--attention-kind", "none", "--units", "8", "--epochs", "2"),
    *("--batch-size", "4"),
]


@pytest.fixture(scope="module")
def app():
    return make_app()


@pytest.fixture
def run(app):
    return runner(app)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    path = tmp_path_factory.mktemp("pairs") / "pairs.tsv"
    path.write_text("ab\tb a\nba\ta b\nabb\tb b a\n" * 8)
    return path


@pytest.fixture(scope="module")
def model(app, pairs, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "m.kseq2seq"
    options = ["--target-tokenizer", "whitespace", "--model", path]
    result = CliRunner().invoke(app, [*TRAIN, str(pairs), *map(str, options)])
    assert result.exit_code == 0, result.output
    return path


def main(*arguments, stdin=""):
    """Run the installed entry point in a process of its own."""
    code = "import sys; from kseq2seq.cli import main; sys.argv[0] = 'kseq2seq'; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize(
    "command", [[], ["quickstart"], ["train"], ["predict"], ["evaluate"], ["info"]]
)
def test_every_command_has_help(run, command):
    assert "Usage" in run(*command, "--help")


def test_the_version_is_shown_and_the_package_is_a_command():
    command = [sys.executable, "-m", "kseq2seq", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"kseq2seq {kseq2seq.__version__}\n"


def test_no_name_of_an_option_is_cut(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    shown = run("train", "--help")
    assert "--layer-normalization / --no-layer-normalization" in shown


def test_help_loads_no_backend():
    code = (
        "import sys\nfrom kseq2seq.cli import main\n"
        "sys.argv = ['kseq2seq', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "loaded = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'matplotlib'}\n"
        "print(sorted(loaded & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"


def test_train_has_an_option_for_every_parameter(run):
    shown = run("train", "--help")
    names = set(inspect.signature(Seq2SeqEstimator).parameters)
    vocabularies = {f"{of}_vocabulary" for of in ("source", "target", "feature")}
    python_only = {"callbacks", "loss", "metrics", "verbose", "warm_start"}
    for name in names - vocabularies - python_only:
        # long options are cut at the terminal's width
        assert f"--{name.replace('_', '-')}"[:19] in shown
    assert "--warm-start" not in shown  # that is --from


def test_options_reach_the_estimator(run, pairs, tmp_path):
    matrix = tmp_path / "matrix.npy"
    np.save(matrix, np.ones((6, 3), dtype="float32"))
    path = tmp_path / "m.kseq2seq"
    run(
        *TRAIN,
        *(pairs, "--model", path, "--cell", "gru", "--attention-kind", "none"),
        *("--dropout", "0.25", "--source-embedding", matrix, "--freeze-embeddings"),
        *("--max-length", "9", "--learning-rate", "0.1"),
    )
    parameters = load(path).get_params()
    assert parameters["cell"] == "gru" and parameters["attention_kind"] is None
    assert parameters["dropout"] == 0.25 and parameters["learning_rate"] == 0.1
    assert parameters["max_length"] == 9 and parameters["bidirectional"] is False
    assert parameters["freeze_embeddings"] is True
    np.testing.assert_array_equal(parameters["source_embedding"], np.load(matrix))


def test_train_reports_in_json_and_validates(run, pairs, tmp_path):
    model = tmp_path / "m.kseq2seq"
    shown = run(*TRAIN, pairs, "--validation", pairs, "--model", model, "--json")
    report = json.loads(shown.splitlines()[-1])
    assert report["model"] == str(model) and report["epochs"] == 1
    assert report["parameters"] > 0 and report["pairs_per_second"] > 0
    X, y = load_pairs(pairs)
    answers = load(model).predict(X)
    assert report["validation_exact_match"] == exact_match(y, answers)
    assert report["validation_bleu"] == pytest.approx(bleu(y, answers))
    assert "version:" in report["validation_bleu_signature"]
    assert "epoch   1  loss " in shown and "tokens/s" in shown and "BLEU" in shown
    assert "\r" not in shown  # no terminal


@pytest.mark.slow
def test_parallel_files_are_two_options(run, tmp_path):
    for name, text in (("s", "ab\nba\n"), ("t", "x\ny\n")):
        (tmp_path / name).write_text(text)
    files = ("--source", tmp_path / "s", "--target", tmp_path / "t")
    validation = ("--validation-source", tmp_path / "s")
    validation += ("--validation-target", tmp_path / "t")
    run(*TRAIN, *files, *validation, "--model", tmp_path / "m")
    assert json.loads(
        run("evaluate", tmp_path / "m", *files, "--json").splitlines()[-1]
    )


def test_predict_answers_a_line_each_from_a_file_and_from_standard_input(
    run, model, tmp_path
):
    path = tmp_path / "sources.txt"
    path.write_text("ab\n\nzzz\nba\n")
    expected = load(model).predict(["ab", "", "zzz", "ba"])
    assert run("predict", model, path).splitlines() == expected
    assert (
        main("predict", model, stdin="ab\n\nzzz\nba\n").stdout.splitlines() == expected
    )
    search = {"beam_size": 3, "length_penalty": 2.0}
    widened = load(model).set_params(**search).predict(["ab", "", "zzz", "ba"])
    options = ("--beam-size", 3, "--length-penalty", 2.0)
    assert run("predict", model, path, *options).splitlines() == widened


def test_evaluate_measures_decoded_answers(run, model, pairs):
    report = json.loads(run("evaluate", model, pairs, "--json").splitlines()[-1])
    assert set(report) == {
        *("exact_match", "token_accuracy", "edit_distance", "token_error_rate"),
        *("bleu", "bleu_signature", "chrf", "chrf_signature", "pairs"),
    }
    assert "case:mixed" in report["bleu_signature"]
    lines = [line.split("\t") for line in pairs.read_text().splitlines()]
    assert report["exact_match"] == load(model).score(*zip(*lines, strict=True))
    assert report["pairs"] == 24


def test_info_describes_without_a_backend(model):
    code = (
        "import sys\nfrom kseq2seq.cli import main\n"
        f"sys.argv = ['kseq2seq', 'info', {str(model)!r}, '--json']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('keras' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    *_, report, loaded = shown.splitlines()
    assert loaded == "False"
    assert json.loads(report)["target"] == "text split by whitespace, 2 tokens"


@pytest.mark.slow
@pytest.mark.parametrize("task", ["dates", "arithmetic"])
def test_quickstart_trains_shows_and_keeps(run, tmp_path, task):
    options = ("--samples", 200, "--epochs", 1, "--output", tmp_path, "--json")
    shown = run("quickstart", "--task", task, *options)
    report = json.loads(shown.splitlines()[-1])
    assert 0 <= report["exact_match"] <= 1
    assert {"train_seconds", "pairs_per_second", "parameters"} <= set(report)
    assert load(report["model"]).predict(["1"])
    for picture in ("curves", "attention"):
        with open(report[picture], "rb") as file:
            assert file.read(4) == b"\x89PNG"
    assert "kseq2seq predict" in shown and "wrong" in shown


def test_quickstart_tests_on_days_and_problems_that_training_has_not():
    from kseq2seq.cli.quickstart import Task, make_pairs

    (X, y), (X_test, y_test) = make_pairs(Task.dates, 3000, random_state=0)
    assert len(X_test) == 2000 and len(X) > 2500 and not set(y) & set(y_test)
    (X, y), (X_test, _) = make_pairs(Task.arithmetic, 3000, random_state=0)
    assert len(X_test) == 2000 and len(X) > 2500 and not set(X) & set(X_test)


@pytest.mark.slow
def test_a_model_that_exists_is_kept_unless_overwritten(model, pairs, tmp_path):
    model = shutil.copy(model, tmp_path / "m.kseq2seq")
    before = model.read_bytes()
    result = main(*TRAIN, pairs, "--model", model)
    assert result.returncode == 1 and "exists and is kept" in result.stderr
    assert model.read_bytes() == before
    assert main(*TRAIN, pairs, "--model", model, "--overwrite").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "no.tsv"], "there is no file no.tsv"),
        (["train"], "expected pairs as one TSV file, or as --source"),
        (["train", "PAIRS", "--cell", "lsmt"], "Did you mean 'lstm'?"),
        (["train", "PAIRS", "--units", "0"], "units must be a whole number"),
        (["train", "PAIRS", "--source-embedding", "no.npy"], "no.npy"),
        (["train", "PAIRS", *DIVERGES], "the loss was nan after epoch 1"),
        (["predict", "no.kseq2seq"], "there is no file no.kseq2seq"),
        (["predict", "PAIRS"], "is not a kseq2seq model file"),
        (["info", "PAIRS"], "is not a kseq2seq model file"),
        (["evaluate", "PAIRS", "PAIRS"], "is not a kseq2seq model file"),
    ],
)
def test_an_error_is_one_sentence_on_standard_error(
    arguments, message, pairs, tmp_path, main_here
):
    arguments = [str(pairs) if a == "PAIRS" else a for a in arguments]
    if arguments[0] == "train":
        arguments += ["--model", str(tmp_path / "m")]
    code, shown = main_here(*arguments)
    assert code == 1
    assert message in shown.err and "Traceback" not in shown.err
    assert len(shown.err.strip().splitlines()) == 1


def test_a_description_without_its_parts_is_damaged(tmp_path):
    path = tmp_path / "m.kseq2seq"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.json", '{"format": "kseq2seq", "format_version": 1}')
    for command in (["info", path], ["predict", path]):
        result = main(*command)
        assert result.returncode == 1 and "is damaged" in result.stderr
        assert "Traceback" not in result.stderr


def test_a_model_of_integers_is_left_to_python(tmp_path):
    rows = np.arange(40).reshape(10, 4) % 5
    estimator = Seq2SeqEstimator(units=4, epochs=1, bidirectional=False, random_state=0)
    path = estimator.fit(rows, rows).save(tmp_path / "m")
    result = main("predict", path, stdin="1\n")
    assert result.returncode == 1 and "does not answer text with text" in result.stderr
