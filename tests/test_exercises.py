"""The harness that runs the exercises, from the checkout; they stay out of a wheel."""

import json
from pathlib import Path

import pytest
from checkout import ROOT, load_benchmarks

load_benchmarks()

from benchmarks.exercises import __main__ as command  # noqa: E402
from benchmarks.exercises import results  # noqa: E402
from benchmarks.exercises.results import Row  # noqa: E402

MACHINE = {"cores": 2, "python": "3.11.0"}
FOREIGN = {"exercise": "copying", "speed": [1, 2], "ours": "all right"}


def row(exercise="reversal", model="plain", **changes):
    known = {
        "role": "best",
        "setting": {"units": 64, "learning_rate": 0.00001},
        "ours": {"exact_match": 0.93125},
        "parameters": 12345,
        "seconds": 3.21,
        "machine": MACHINE,
        "time": "2024-05-06T07:08:09+00:00",
    }
    return Row(exercise=exercise, model=model, **known | changes)


def cells(table, start):
    """Return the cells of the line that starts so, by their column's name."""
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    found = next(line for line in lines if line.startswith(f"| {start}"))
    header = lines[
        max(i for i in range(lines.index(found)) if "| setting |" in lines[i])
    ]
    split = [[cell.strip() for cell in line.split(" | ")] for line in (header, found)]
    names, values = ([cell.strip("| ") for cell in line] for line in split)
    return dict(zip(names, values, strict=True))


def test_rows_come_back_from_the_file_as_they_went(tmp_path):
    path = tmp_path / "folder" / "results.json"
    rows = [row().to_json(), row("copying", published={"exact_match": 0.5}).to_json()]
    results.write(path, rows)
    assert results.read(path) == [rows[1], rows[0]]  # sorted by exercise
    assert [Row(**known) for known in results.read(path)] == [
        row("copying", published={"exact_match": 0.5}),
        row(),
    ]


def test_writing_twice_gives_the_same_bytes(tmp_path):
    path = tmp_path / "results.json"
    results.write(path, [row().to_json(), FOREIGN])
    first = path.read_bytes()
    results.write(path, results.read(path))
    assert path.read_bytes() == first


def test_without_a_file_there_are_no_rows(tmp_path):
    assert results.read(tmp_path / "results.json") == []


def test_new_rows_replace_all_of_their_exercise_and_no_others():
    old = [row(model="one"), row(model="two"), row("sorting")]
    merged = results.merge(
        [*(each.to_json() for each in old), FOREIGN], [row(model="three", seconds=9.0)]
    )
    assert merged == [
        FOREIGN,
        row(model="three", seconds=9.0).to_json(),
        row("sorting").to_json(),
    ]


def test_an_exercises_rows_stay_in_the_order_it_gave_them():
    merged = results.merge([], [row(model="b"), row("a"), row(model="a")])
    assert [(each["exercise"], each["model"]) for each in merged] == [
        ("a", "plain"),
        ("reversal", "b"),
        ("reversal", "a"),
    ]


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing(tmp_path):
    path = tmp_path / "results.json"
    results.write(path, [FOREIGN])
    with pytest.raises(ValueError, match="Out of range float"):
        results.write(path, [row(ours={"exact_match": float("nan")}).to_json()])
    assert results.read(path) == [FOREIGN]
    with pytest.raises(UnicodeEncodeError):
        results.write_text(path, "half a text \ud800")
    assert results.read(path) == [FOREIGN]
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "text", ["", "[]", '{"rows": [{}]}', '{"rows": [{"exercise": 1}]}', '{"rows": 3}']
)
def test_a_file_of_another_kind_is_named(tmp_path, text):
    path = tmp_path / "results.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"results\.json must be a JSON object"):
        results.read(path)


def test_a_role_that_is_not_known_is_an_error():
    with pytest.raises(ValueError, match="role must be one of .*; got 'worst'"):
        row(role="worst")


def test_a_row_says_by_itself_when_and_on_what_it_was_run():
    made = Row(**{**row().to_json(), "machine": results.machine()})
    assert made.machine["cores"] >= 1
    assert {"platform", "python", "keras", "tensorflow"} <= set(made.machine)
    assert str(Path.home()) not in json.dumps(made.machine)
    assert results.now().endswith("+00:00")


def test_the_table_has_a_line_for_each_row():
    published = row(
        model="classic",
        role="published setting",
        published_setting="64 units, 5 epochs",
        published={"exact_match": 0.25},
        ours={"exact_match": 0.26, "edit_distance": 1},
    )
    table = results.render([published.to_json(), row(model="wide").to_json()])
    classic = cells(table, "reversal: classic")
    assert list(classic) == [
        "exercise",
        "at",
        "setting",
        "ours",
        "published",
        "parameters",
        "seconds",
    ]
    assert classic["published"] == "exact match 0.2500; 64 units, 5 epochs"
    assert classic["ours"] == "exact match 0.2600, edit distance 1"
    assert classic["at"] == "the published setting"
    wide = cells(table, "reversal: wide")
    assert wide["setting"] == "units 64, learning rate 1e-05"
    assert wide["published"] == "–"
    assert wide["at"] == "our best"
    assert wide["ours"] == "exact match 0.9313"
    assert (wide["parameters"], wide["seconds"]) == ("12,345", "3.2")


def test_of_a_setting_the_table_tells_what_differs_from_the_defaults():
    setting = {"units": 128, "cell": "gru", "epochs": None, "num_samples": 20}
    table = results.render(
        [row(setting=setting).to_json(), row("b", setting={}).to_json()]
    )
    assert cells(table, "reversal")["setting"] == "cell gru, num samples 20"
    assert cells(table, "b")["setting"] == "the defaults"


def test_the_table_says_what_made_it_and_the_machine_once():
    table = results.render([row(model="a").to_json(), row(model="b").to_json()])
    assert "by `python -m benchmarks.exercises`" in table.splitlines()[2]
    assert table.count("Run 2024-05-06 on: cores 2, python 3.11.0.") == 1


def test_signs_of_markdown_are_taken_as_they_are():
    ours = {"exact_match *": 0.5, "a|b": 0.25}
    table = results.render([row(model="<b>", ours=ours).to_json()])
    assert "exact match \\* 0.5000, a\\|b 0.2500" in table
    assert "reversal: \\<b>" in table


def test_rows_of_a_shape_not_known_here_are_shown_as_far_as_they_go():
    odd = {
        "exercise": "odd",
        "role": "new",
        "published": {"f": {"a": 1}},
        "seconds": "",
    }
    table = results.render([FOREIGN, odd])
    assert cells(table, "copying")["ours"] == "all right"
    assert cells(table, "odd")["published"] == "f {'a': 1}"


@pytest.fixture
def exercise(monkeypatch):
    """Three exercises that take no time; the last is run only when it is named."""

    def load(name):
        return lambda progress: [row(name)]

    monkeypatch.setattr(command, "EXERCISES", dict.fromkeys(["one", "two", "long"]))
    monkeypatch.setattr(command, "ONLY_BY_NAME", {"long"})
    monkeypatch.setattr(command, "load", load)


def names_in(folder):
    return [each["exercise"] for each in results.read(folder / "results.json")]


def test_the_command_runs_every_exercise_or_those_named(exercise, tmp_path, capsys):
    command.main(["two", "--output", str(tmp_path)])
    assert names_in(tmp_path) == ["two"]
    command.main(["--output", str(tmp_path)])
    assert names_in(tmp_path) == ["one", "two"]
    command.main(["long", "--output", str(tmp_path)])
    assert names_in(tmp_path) == ["long", "one", "two"]
    assert "| one: plain |" in (tmp_path / "results.md").read_text()
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "results.md")


def test_the_command_only_renders_when_asked(exercise, tmp_path):
    results.write(tmp_path / "results.json", [row("sorting").to_json()])
    command.main(["--render", "--output", str(tmp_path)])
    assert names_in(tmp_path) == ["sorting"]
    assert "## sorting" in (tmp_path / "results.md").read_text()


def test_an_exercise_that_fails_loses_none_that_came_before(
    exercise, tmp_path, monkeypatch
):
    def load(name):
        return (lambda progress: [row(name)]) if name == "one" else (lambda _: 1 / 0)

    monkeypatch.setattr(command, "load", load)
    with pytest.raises(ZeroDivisionError):
        command.main(["--output", str(tmp_path)])
    assert names_in(tmp_path) == ["one"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["three"], "unknown: three; expected one, two, long"),
        (["one", "--render"], "--render runs nothing"),
        (["--render"], "to render; run an exercise first"),
    ],
)
def test_the_command_says_what_was_wrong(
    exercise, tmp_path, capsys, arguments, message
):
    with pytest.raises(SystemExit):
        command.main([*arguments, "--output", str(tmp_path)])
    assert message in capsys.readouterr().err


def test_a_damaged_file_stops_the_command_before_it_runs(exercise, tmp_path, capsys):
    (tmp_path / "results.json").write_text("{")
    with pytest.raises(SystemExit):
        command.main(["one", "--output", str(tmp_path)])
    assert "must be a JSON object" in capsys.readouterr().err
    assert (tmp_path / "results.json").read_text() == "{"


def test_every_exercise_can_be_loaded():
    assert set(command.EXERCISES) >= {"arithmetic", "masked_autoencoder"}
    assert set(command.EXERCISES) >= command.ONLY_BY_NAME
    for name in command.EXERCISES:
        assert callable(command.load(name))


@pytest.mark.slow
def test_masked_autoencoder_beats_the_mean_picture_soon():
    (measured, _) = command.load("masked_autoencoder")(lambda line: None, epochs=5)
    ours = measured.ours
    for name in ("mean_squared_error", "mean_squared_error_hidden_half"):
        assert ours[name] < ours[f"mean_image_{name}"]
    assert (
        measured.setting["train_pictures"] + measured.setting["test_pictures"] == 1797
    )
    json.dumps(measured.to_json())


@pytest.mark.slow
def test_arithmetic_gives_its_rows_in_a_small_size(tmp_path):
    lines = []
    rows = command.load("arithmetic")(lines.append, num_samples=400, epochs=1)
    rows += command.load("arithmetic_solved")(
        lines.append,
        num_samples=400,
        units=8,
        epochs=1,
        batch_size=32,
        picture=tmp_path / "attention.png",
    )
    assert (tmp_path / "attention.png").exists()
    assert [each.model for each in rows] == [
        "without attention",
        "dot attention",
        "dot attention, two directions",
    ]
    for each in rows:
        assert list(each.ours) == [
            "exact_match",
            *(f"exact_match {sign}" for sign in "+-*/%"),
        ]
        assert each.parameters > 0
        json.dumps(each.to_json())
    assert rows[0].role == "other"  # not the published setting in this size
    assert any(line.startswith("epoch 1: loss") for line in lines)


def test_the_kept_table_is_made_from_the_kept_record():
    rows = results.read(ROOT / "docs" / results.JSON_NAME)
    assert {row["exercise"] for row in rows} >= set(command.EXERCISES)
    table = (ROOT / "docs" / results.TABLE_NAME).read_text(encoding="utf-8")
    assert table == results.render(rows)


def figures(model, **changes):
    return {
        "exercise": "multi30k",
        "model": model,
        "setting": {"units": 8},
        "published": {"test_2016_bleu_greedy": 13.8},
        "parameters": 12345,
        "test_2016_bleu_greedy": 20.125,
        "signature": "nrefs:1|case:lc",
        "machine": MACHINE,
        "time": "2024-05-06T07:08:09+00:00",
        **changes,
    }


def test_rows_with_figures_of_their_own_get_a_column_for_each():
    rows = [figures("rnn"), figures("lstm", test_loss_free_running=3.8, published={})]
    table = results.render(rows)
    found = cells(table, "lstm")
    assert found["parameters"] == "12,345"
    assert found["test 2016 bleu greedy"] == "20.12"
    assert found["test loss free running"] == "3.80"
    assert cells(table, "rnn")["test loss free running"] == "–"
    assert "13.8" in cells(table, "rnn")["published"]
    assert table.count("BLEU is sacreBLEU's, nrefs:1\\|case:lc.") == 1


def test_a_model_run_again_takes_the_place_of_its_own_row_alone():
    old = [figures("rnn"), figures("lstm"), row("copying").to_json()]
    new = figures("lstm", test_2016_bleu_greedy=30.0)
    merged = results.merge_models(old, [new])
    assert merged == [old[2], old[0], new]
