import gzip
import re
from datetime import date

import numpy as np
import pytest

from kseq2seq.datasets import load_pairs, make_arithmetic, make_dates

WEEKDAYS = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
]
MONTHS = [
    date(2000, m, 1).strftime("%B").lower() for m in range(1, 13)
]  # the tests run in English
STYLES = {
    "24 april 1987": r"(?P<d>\d+) (?P<b>[a-z]+) (?P<Y>\d{4})",
    "april 24, 1987": r"(?P<b>[a-z]+) (?P<d>\d+), (?P<Y>\d{4})",
    "apr 24 1987": r"(?P<h>[a-z]{3}) (?P<d>\d+) (?P<Y>\d{4})",
    "friday, april 24, 1987": r"(?P<A>[a-z]+), (?P<b>[a-z]+) (?P<d>\d+), (?P<Y>\d{4})",
    "24/04/1987": r"(?P<d>\d\d)/(?P<m>\d\d)/(?P<Y>\d{4})",
    "24.4.87": r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d\d)",
    "1987.04.24": r"(?P<Y>\d{4})\.(?P<m>\d\d)\.(?P<d>\d\d)",
}


def read_date(text):
    """Return the style and the day of a text, or fail."""
    found = [(s, m) for s, p in STYLES.items() if (m := re.fullmatch(p, text))]
    assert len(found) == 1, text
    style, parts = found[0][0], found[0][1].groupdict()
    year = int(parts.get("Y") or parts["y"])
    if "y" in parts:
        year += 1900 if year >= 50 else 2000
    month = int(parts.get("m") or 0)
    if "b" in parts:
        month = MONTHS.index(parts["b"]) + 1
    if "h" in parts:
        month = [name[:3] for name in MONTHS].index(parts["h"]) + 1
    day = date(year, month, int(parts["d"]))
    if "A" in parts:
        assert WEEKDAYS[day.weekday()] == parts["A"]
    return style, day


def test_dates_mean_what_their_answers_say_in_every_style():
    sources, targets = make_dates(3000, random_state=0)
    styles, years = set(), set()
    for source, target in zip(sources, targets, strict=True):
        style, day = read_date(source.lower())
        assert day.isoformat() == target
        styles.add(style)
        years.add(day.year)
    assert styles == set(STYLES)
    assert years == set(range(1900, 2050))
    assert {s.isupper() for s in sources if s[0].isalpha()} == {True, False}
    assert any(s.islower() for s in sources) and any(s.istitle() for s in sources)


@pytest.mark.parametrize("reverse", [False, True])
def test_arithmetic_is_right(reverse):
    sources, targets = make_arithmetic(2000, reverse_source=reverse, random_state=0)
    signs = set()
    for source, target in zip(sources, targets, strict=True):
        problem = source[::-1] if reverse else source
        a, sign, b = re.fullmatch(r"(\d{1,3})([-+*/%])(\d{1,3})", problem).groups()
        a, b = int(a), int(b)
        signs.add(sign)
        if sign == "/":
            assert re.fullmatch(r"\d+\.\d{5}", target)
            assert abs(float(target) - a / b) <= 0.5e-5 + 1e-12
        else:
            exact = {"+": a + b, "-": a - b, "*": a * b, "%": b and a % b}[sign]
            assert target == str(exact)
    assert signs == set("+-*/%")


def test_digits_and_operators_are_those_asked_for():
    sources, _ = make_arithmetic(500, n_digits=1, operators="*", random_state=0)
    assert all(re.fullmatch(r"\d\*\d", source) for source in sources)
    assert len(set(sources)) == 100


@pytest.mark.parametrize("make", [make_dates, make_arithmetic])
def test_a_seed_gives_the_same_pairs(make):
    state = np.random.get_state()[1].copy()
    assert make(50, random_state=1) == make(50, random_state=1)
    assert make(50, random_state=1) != make(50, random_state=2)
    assert (np.random.get_state()[1] == state).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: make_dates(0),
            "n_samples must be a whole number of at least 1; got 0",
        ),
        (lambda: make_dates("many"), "n_samples must be"),
        (lambda: make_arithmetic(5, n_digits=0), "n_digits must be"),
        (lambda: make_arithmetic(5, operators="^"), r"operators must be .*got '\^'"),
        (lambda: make_arithmetic(5, operators=""), "operators must be"),
        (lambda: make_arithmetic(5, reverse_source="yes"), "reverse_source must be"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


def test_tsv_is_read_with_a_byte_order_mark_crlf_and_spaces(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_bytes("\ufeffein\tone\r\n zwei \t two\r\n\t\r\n".encode())
    assert load_pairs(path) == (["ein", "zwei", ""], ["one", "two", ""])


@pytest.mark.parametrize("compressed", [False, True])
def test_parallel_files_are_read(tmp_path, compressed):
    suffix = ".gz" if compressed else ""
    paths = [tmp_path / f"{side}{suffix}" for side in ("de", "en")]
    for path, text in zip(paths, ("é\nb\tc\n", "x\ny\n"), strict=True):
        data = text.encode()
        path.write_bytes(gzip.compress(data) if compressed else data)
    assert load_pairs(*paths) == (["é", "b\tc"], ["x", "y"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a\tb\nc d\n", r"pairs.tsv, line 2: expected source TAB target; got 0 tabs"),
        (b"a\tb\tc\n", r"line 1: .* got 2 tabs in 'a\\tb\\tc'"),
        (b"a\tb\n\n", r"line 2: .* got 0 tabs in ''"),
        (b"a\tb\nc\t\xff\n", r"line 2: expected UTF-8; got byte 0xff at position 3"),
        ("a\tb\n".encode("utf-16"), r"line 1: expected UTF-8; got byte 0xff"),
    ],
)
def test_a_bad_line_is_named(tmp_path, content, message):
    path = tmp_path / "pairs.tsv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_pairs(path)


def test_parallel_files_of_unequal_length_are_named(tmp_path):
    (tmp_path / "a").write_text("1\n2\n3\n")
    (tmp_path / "b").write_text("1\n2\n")
    with pytest.raises(ValueError, match=r"a has 3 and .*b has 2: line 3 of 3 has no"):
        load_pairs(tmp_path / "a", tmp_path / "b")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no.tsv"):
        load_pairs(tmp_path / "no.tsv")


def test_a_file_that_is_no_gzip_is_refused(tmp_path):
    path = tmp_path / "pairs.tsv.gz"
    path.write_bytes(b"a\tb\n")
    with pytest.raises(ValueError, match="pairs.tsv.gz is not a whole gzip file"):
        load_pairs(path)
    whole = gzip.compress(b"a\tb\n" * 99)
    for damaged in (whole[:-9], whole[:12] + b"\xff" * 9 + whole[21:]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="is not a whole gzip file"):
            load_pairs(path)


def test_a_number_is_no_path():
    with pytest.raises(TypeError, match="path must be a file's path; got 0"):
        load_pairs(0)
