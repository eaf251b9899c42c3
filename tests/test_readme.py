"""README's Python runs as it stands, block after block, and prints what it says."""

import re
from pathlib import Path

import pytest
from checkout import code_blocks
from matplotlib import pyplot

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
BLOCKS = code_blocks(ROOT / "README.md")


def test_every_block_is_python_that_runs_here_or_shell_that_ci_runs():
    assert {language for language, _ in BLOCKS} == {"python", "bash"}
    assert "readme_commands" in (ROOT / ".ci" / "run").read_text()


@pytest.mark.slow
def test_python_blocks_run_and_print_what_they_say(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace = {}
    for language, code in BLOCKS:
        if language == "python":
            exec(compile(code, "README.md", "exec"), namespace)
    score, first, loaded, *_ = capsys.readouterr().out.splitlines()
    assert float(score) > 0.97
    assert first == loaded == "['1987-04-24']"
    word = namespace["words"][0].tolist()
    answer = namespace["answers"]["ids"][0].tolist()
    assert answer == [*word[::-1], 3, 0, 0, 0, 0, 0][:6]


def test_the_picture_is_there():
    for path in re.findall(r"!\[.*?\]\((.*?)\)", README):
        assert (ROOT / path).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("name", ["attention", "arithmetic_attention"])
def test_kept_pictures_of_attention_are_of_models_that_have_learned(name):
    red, _, blue = pyplot.imread(ROOT / "docs" / f"{name}.png")[..., :3].T
    dark = (blue > 0.3) & (red < 0.2)  # weights near to 1; the bar alone has 0.6 %
    assert dark.mean() > 0.02
