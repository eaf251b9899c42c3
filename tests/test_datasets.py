import gzip
import re
from collections import Counter
from datetime import date
from itertools import islice

import numpy as np
import pytest

from kseq2seq import datasets
from kseq2seq.datasets import (
    load_pairs,
    load_series,
    make_add_two_digits,
    make_arithmetic,
    make_daily_counts,
    make_dates,
    make_echo,
    make_number_words,
    mask_left_half,
    stream_number_words,
)

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


DIGITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
]


def spell(number):
    return " ".join(DIGITS[int(digit)] for digit in number)


def numbers(*lengths):
    """Return every number of these lengths."""
    return [f"{i:0{n}}" for n in lengths for i in range(10**n)]


def assert_even(counts, expected):
    """Hold counts to within five standard deviations of equal chances."""
    total = sum(counts.values())
    assert set(counts) == set(expected)
    for value, count in counts.items():
        chance = expected[value]
        assert abs(count - total * chance) <= 5 * (total * chance * (1 - chance)) ** 0.5


def test_number_words_spell_their_answers():
    sources, targets = make_number_words(2000, 1, 4, random_state=0)
    assert (len(sources), len(targets)) == (2000, 2000)
    for source, target in zip(sources, targets, strict=True):
        assert re.fullmatch(r"[0-9]{1,4}", target)
        assert source == spell(target)
    assert set("".join(sources)) == set("".join(DIGITS) + " ")
    assert len(set("".join(sources))) == 16


def test_lengths_and_digits_of_numbers_are_drawn_evenly():
    _, targets = make_number_words(20_000, 2, 5, random_state=0)
    assert_even(Counter(map(len, targets)), dict.fromkeys(range(2, 6), 1 / 4))
    tenth = dict.fromkeys("0123456789", 1 / 10)
    assert_even(Counter("".join(targets)), tenth)
    assert_even(Counter(target[0] for target in targets), tenth)
    assert_even(Counter(target[-1] for target in targets), tenth)


def test_numbers_may_all_have_one_length():
    _, targets = make_number_words(300, 3, 3, random_state=0)
    assert {len(target) for target in targets} == {3}


def test_excluded_numbers_are_drawn_again():
    _, excluded = make_number_words(300, 1, 3, random_state=0)
    sources, targets = make_number_words(
        5000, 1, 3, exclude=(t for t in excluded), random_state=0
    )
    assert (len(sources), len(targets)) == (5000, 5000)
    assert not set(targets) & set(excluded)
    assert set(targets) <= set(numbers(1, 2, 3))
    assert sources == [spell(target) for target in targets]


def test_lengths_become_rare_as_they_are_used_up():
    # Half of the numbers of one digit are left, and all of those of two: 1 to 2.
    _, targets = make_number_words(9000, 1, 2, exclude=list("01234"), random_state=0)
    assert_even(Counter(map(len, targets)), {1: 1 / 3, 2: 2 / 3})


def test_the_last_numbers_left_are_found_and_weighed():
    # Of one digit only "7" is left, of two "42" and "43": as likely as 10 to 1 to 1.
    left = {"7": 10 / 12, "42": 1 / 12, "43": 1 / 12}
    excluded = [number for number in numbers(1, 2) if number not in left]
    sources, targets = make_number_words(6000, 1, 2, exclude=excluded, random_state=0)
    assert_even(Counter(targets), left)
    assert set(sources) == {"seven", "four two", "four three"}


def test_the_only_number_left_is_found_without_searching():
    *excluded, last = numbers(5)
    _, targets = make_number_words(2000, 5, 5, exclude=excluded, random_state=0)
    assert targets == [last] * 2000


def test_numbers_may_be_longer_than_anyone_could_list():
    _, targets = make_number_words(50, 40, 41, exclude=["0" * 40], random_state=0)
    assert {len(target) for target in targets} == {40, 41}
    assert len(set(targets)) == 50


def test_numbers_of_other_lengths_exclude_nothing():
    exclude = numbers(1, 3)
    assert make_number_words(
        50, 2, 2, exclude=exclude, random_state=0
    ) == make_number_words(50, 2, 2, random_state=0)


def test_a_stream_yields_what_make_returns_and_goes_on():
    stream = stream_number_words(1, 5, exclude=["7"], random_state=3)
    pairs = list(islice(stream, 50_000))
    sources, targets = make_number_words(50_000, 1, 5, exclude=["7"], random_state=3)
    assert pairs == list(zip(sources, targets, strict=True))
    later = [target for _, target in islice(stream, 1000)]
    assert len(set(later) & set(targets[:1000])) < 500
    longest = [target for target in targets if len(target) == 5]
    assert len(set(longest)) > 9000  # About 10,000, drawn from 100,000: 9,500.


def test_echo_begins_as_its_source():
    X, y = make_echo(3000, n_in=4, n_out=3, n_values=6, random_state=0)
    assert X.shape == (3000, 4)
    np.testing.assert_array_equal(y, X[:, :3])
    assert X.dtype == y.dtype == np.int64
    for column in X.T:
        assert_even(Counter(column.tolist()), dict.fromkeys(range(6), 1 / 6))
    y[0] = -5
    assert X.min() == 0


def test_echo_has_five_values_of_a_hundred_and_repeats_two():
    X, y = make_echo(2000, random_state=0)
    assert (X.shape, y.shape) == ((2000, 5), (2000, 2))
    assert (X.min(), X.max()) == (0, 99)


@pytest.mark.parametrize("length", [3, 4, 9])
def test_the_marked_and_the_last_digit_are_added(length):
    X, y = make_add_two_digits(4000, length, random_state=0)
    assert (X.shape, y.shape) == ((4000, length), (4000,))
    markers = []
    for row, total in zip(X.tolist(), y.tolist(), strict=True):
        assert row.count(-1) == 1
        assert set(row) <= set(range(-1, 10))
        markers.append(row.index(-1))
        assert total == row[row.index(-1) + 1] + row[-1]
    places = length - 2  # The last two places cannot hold it.
    assert_even(Counter(markers), dict.fromkeys(range(places), 1 / places))
    assert (y.min(), y.max()) == (0, 18)
    assert_even(Counter(X[:, -1].tolist()), dict.fromkeys(range(10), 1 / 10))


@pytest.mark.parametrize(("width", "hidden"), [(2, 1), (5, 2), (8, 4)])
def test_the_left_half_is_hidden(width, hidden):
    images = np.linspace(0.25, 1, 3 * 2 * width).reshape(3, 2, width)
    before = images.copy()
    masked, whole = mask_left_half(images)
    assert masked.dtype == whole.dtype == np.float32
    np.testing.assert_array_equal(masked[:, :, :hidden], 0)
    np.testing.assert_array_equal(whole, before.astype(np.float32))
    np.testing.assert_array_equal(masked[:, :, hidden:], whole[:, :, hidden:])
    np.testing.assert_array_equal(images, before)


def test_hiding_a_half_returns_copies():
    images = np.ones((1, 1, 2), dtype=np.float32)
    masked, whole = mask_left_half(images)
    masked[:], whole[:] = 0.5, 0.25
    assert (images == 1).all() and (masked == 0.5).all()


def test_hiding_a_half_takes_lists_and_whole_numbers():
    masked, whole = mask_left_half([[[1, 1, 0, 1]]])
    assert masked.tolist() == [[[0, 0, 0, 1]]]
    assert whole.tolist() == [[[1, 1, 0, 1]]]


@pytest.mark.parametrize(
    "make",
    [
        make_dates,
        make_arithmetic,
        lambda n, **seed: make_number_words(n, 2, 6, **seed),
        make_echo,
        lambda n, **seed: make_add_two_digits(n, 6, **seed),
    ],
)
def test_a_seed_gives_the_same_pairs(make):
    def pairs(seed):
        return [np.asarray(side).tolist() for side in make(50, random_state=seed)]

    state = np.random.get_state()[1].copy()
    assert pairs(1) == pairs(1)
    assert pairs(1) != pairs(2)
    assert pairs(None) != pairs(None)
    assert (np.random.get_state()[1] == state).all()


def test_every_public_name_is_there():
    assert set(datasets.__all__) >= {
        "FIRST_DATE",
        "LAST_DATE",
        "OPERATORS",
        "Pairs",
        "decode_lines",
        "read_lines",
    }
    assert all(hasattr(datasets, name) for name in datasets.__all__)


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
        (lambda: make_number_words(0, 1, 2), "n_samples must be .*got 0"),
        (lambda: make_number_words(5, 0, 2), "min_digits must be .*got 0"),
        (lambda: make_number_words(5, 1, 2.5), r"max_digits must be .*got 2\.5"),
        (
            lambda: make_number_words(5, 3, 2),
            "max_digits must be at least min_digits, which is 3; got 2",
        ),
        (lambda: make_number_words(5, 1, 2, random_state="x"), "random_state must be"),
        (lambda: make_echo(5, n_in=0), "n_in must be"),
        (lambda: make_echo(5, n_out=0), "n_out must be"),
        (lambda: make_echo(5, n_values=0), "n_values must be"),
        (
            lambda: make_echo(5, n_in=2, n_out=3),
            "n_out must be at most n_in, which is 2: .* got 3",
        ),
        (
            lambda: make_add_two_digits(5, 2),
            "length must be at least 3; .* too short for the marker, the marked digit "
            "and the last digit; got 2",
        ),
        (lambda: make_add_two_digits(5, "long"), "length must be"),
        (lambda: make_add_two_digits(0, 5), "n_samples must be"),
    ],
)
def test_bad_arguments_are_refused(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()


@pytest.mark.parametrize("call", [stream_number_words, make_number_words])
@pytest.mark.parametrize(
    ("exclude", "error", "message"),
    [
        ("991", TypeError, "exclude must be a collection of targets, .* got '991'"),
        (991, TypeError, "exclude must be a collection of targets, .* got 991"),
        ([991], TypeError, r"must hold targets as strings, .* got 991 \(int\)"),
        (["1", None], TypeError, r"as strings, .* got None \(NoneType\)"),
        ([["1"], ["2"]], TypeError, r"as strings, .* got \['1'\] \(list\)"),
        (["nine one"], ValueError, "which are digits, .* got 'nine one'. Give the tar"),
        (["\u0663"], ValueError, "which are digits"),
        ([""], ValueError, "which are digits"),
        (
            numbers(1, 2, 3),
            ValueError,
            "nothing to draw: it holds all 110 numbers of 1 to 2 digits",
        ),
    ],
)
def test_bad_exclusions_are_refused_at_the_call(call, exclude, error, message):
    n_samples = () if call is stream_number_words else (3,)
    with pytest.raises(error, match=message):
        call(*n_samples, 1, 2, exclude=exclude)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (np.ones((2, 3)), ValueError, r"\(n, height, width\), .* got \(2, 3\)"),
        (np.ones((1, 2, 3, 1)), ValueError, r"got \(1, 2, 3, 1\)"),
        (np.ones((0, 8, 8)), ValueError, r"got \(0, 8, 8\)"),
        (np.ones((1, 0, 8)), ValueError, r"got \(1, 0, 8\)"),
        (np.ones((1, 8, 1)), ValueError, r"width at least 2; got \(1, 8, 1\)"),
        (np.full((1, 2, 2), 16), ValueError, "0 to 1; got 16 to 16. .* 16 or 255"),
        (np.array([[[0, 1.5]]]), ValueError, "from 0 to 1; got 0 to 1.5. Divide"),
        (np.array([[[0, 255]]], np.uint8), ValueError, "got 0 to 255. Divide"),
        (np.array([[[-0.1, 1]]]), ValueError, "got -0.1 to 1. Divide"),
        (np.array([[[0.5, np.nan]]]), ValueError, "finite numbers from 0 to 1"),
        (np.array([[[0.5, np.inf]]]), ValueError, "finite numbers from 0 to 1"),
        ([[["a", "b"]]], TypeError, "must be numbers from 0 to 1; got <U1 values"),
        (None, TypeError, "must be numbers from 0 to 1; got object values"),
        ([[[0, 1], [0]]], ValueError, "of one height and width"),
    ],
)
def test_pictures_that_cannot_be_halved_are_refused(images, error, message):
    with pytest.raises(error, match=message):
        mask_left_half(images)


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


def test_daily_counts_have_a_week_holidays_and_the_weather_in_them():
    counts, covariates = make_daily_counts(20_000, random_state=0)
    again, _ = make_daily_counts(20_000, random_state=0)
    np.testing.assert_array_equal(again, counts)
    assert (counts == np.floor(counts)).all() and (counts >= 0).all()
    holiday, after, temperature = covariates.T
    assert 14 * 50 < holiday.sum() < 14 * 60
    days = np.arange(len(counts))
    usual = (holiday + after) == 0
    detrended = counts / (1 + 0.16 * days / 365.25)
    week = [detrended[usual & (days % 7 == d)].mean() for d in range(7)]
    assert np.argmax(week) == 5 and np.argmin(week) == 6
    saturday = days % 7 == 5
    shares = [
        detrended[saturday & (flag == 1)].mean() / week[5] for flag in (holiday, after)
    ]
    np.testing.assert_allclose(shares, [0.35, 1.2], rtol=0.1)
    warm = temperature - np.median(temperature)
    assert np.corrcoef(warm[saturday & usual], detrended[saturday & usual])[0, 1] > 0
    assert make_daily_counts(1, random_state=0)[0].shape == (1,)
    with pytest.raises(ValueError, match="n_days must be"):
        make_daily_counts(0)


def test_series_are_read_from_rows_and_from_tables(tmp_path):
    pandas = pytest.importorskip("pandas")
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b'"V1","V2","V3"\n"H1","1","2"\n"H2","","3.5",\n'))
    rows = load_series(path)
    assert list(rows) == ["H1", "H2"] and rows["H1"].tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(rows["H2"], [np.nan, 3.5])
    table = tmp_path / "table.csv"
    table.write_text("unique_id,ds,y,promo\na,2020-01-01,1,0\na,2020-01-02,,1\n")
    found = load_series(table)
    assert found.ds.iloc[0] == pandas.Timestamp("2020-01-01")
    assert found.promo.tolist() == [0, 1] and found.y.isna().tolist() == [False, True]
    table.write_text(",unique_id,ds,y\n0,007,1,2\n\n1,NA,1,3\n")  # a written index
    found = load_series(table)
    assert [*found.columns] == ["unique_id", "ds", "y"]
    assert found.unique_id.tolist() == ["007", "NA"]
    for text, message in (
        ("H1,1,2\nH1,3,4\n", "line 2: 'H1' comes a second time"),
        ("H1,1,2\nH2,3,x\n", "line 2: expected a number in column 3; got 'x'"),
        ("H1,1\nH2,\n", "line 2: a series needs values"),
        ("H1,1\nH2," + "1" * 140_000, "line 2: field larger than field limit"),
        ("", "holds no series"),
        ("unique_id,ds,y\na,2020-01-01,1\na,2020-01-02,x\n", "line 3: y must be a num"),
        ("unique_id,ds,y\na,soon,1\n", "line 2: ds must be .* ISO 8601 .*'soon'"),
        ("unique_id,ds,y\na,31/01/2020,1\n", "line 2: ds must be .* ISO"),
        (
            "unique_id,ds,y\na,2020-01-01T00+01:00,1\na,2020-01-02T00+02:00,1\n",
            "all with or all",
        ),
        ("unique_id,ds,y\n,2020-01-01,1\n", "line 2: unique_id is empty"),
        ("unique_id,ds,y\na,,1\n", "line 2: ds is empty"),
        ("unique_id;ds;y\na;1;1\n", "commas between its columns"),
        ("ds,y\n1,1\n", "unique_id is missing. It has ds, y"),
        ("unique_id,ds,y\n", "has a header, and no rows"),
        ("unique_id,ds,y, y\na,1,1,2\n", "each column once; 'y' comes twice"),
    ):
        table.write_text(text)
        with pytest.raises(ValueError, match=message):
            load_series(table)
