"""Formulas: the language as documented, its bounds, and what hostile ones come to."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plaudit.core.expressions import Expression, ExpressionError, Template
from plaudit.core.formulas import limits
from plaudit.core.formulas.dates import METHODS
from plaudit.core.formulas.functions import FUNCTIONS
from plaudit.core.formulas.loops import LOOPS
from plaudit.core.formulas.values import Date
from tests.support.existing import existing

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "formulas.md").read_text(encoding="utf-8")
DOCUMENTED = json.loads(existing(re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)).group(1))
CODE = r"(?:``\s(?P<{0}2>.+?)\s``|`(?P<{0}1>[^`]+)`)"
ROW = re.compile(rf"^\|(?:[^|]*\|)? {CODE.format('formula')} \| (?:{CODE.format('result')}|fails) \|$", re.MULTILINE)
EXAMPLES = [
    (row["formula1"] or row["formula2"], row["result1"] or row["result2"])
    for row in (match.groupdict() for match in ROW.finditer(PAGE))
]


def plain(value):
    """A value as JSON has it, all the way down."""
    if isinstance(value, Decimal):
        return int(value) if value == int(value) else float(value)
    if isinstance(value, Date):
        return str(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def result(source, names):
    return plain(Expression(source).evaluate(names))


@pytest.mark.parametrize(("source", "expected"), EXAMPLES, ids=[case[0] for case in EXAMPLES])
def test_the_documented_examples_are_true(source, expected):
    if expected is None:
        with pytest.raises(ExpressionError):
            result(source, DOCUMENTED)
    else:
        found, wanted = result(source, DOCUMENTED), json.loads(expected)
        assert found == wanted
        assert isinstance(found, bool) == isinstance(wanted, bool)


@pytest.mark.parametrize(
    ("texts", "alike"),
    [
        (("kitten", "sitting"), 4 / 7), (("ab", "ba"), 1 / 2), (("ca", "abc"), 1 / 3), (("b", "ab"), 1 / 2),
        (("abc", ""), 0), (("", "ab"), 0), (("same", "same"), 1),
    ],
)  # fmt: skip
def test_what_is_alike(texts, alike):
    """By the insertions, deletions, substitutions and transpositions between two texts."""
    assert result("fuzzyMatch(a, b)", dict(zip("ab", texts, strict=True))) == pytest.approx(alike)


@pytest.mark.parametrize(
    ("length", "wanted"),
    [
        ("2h 30m", "2026-01-01 02:30"), ("1h", "2026-01-01 01:00"), ("1w", "2026-01-08 00:00"), ("90s", "2026-01-01 00:01"),
        ("1M", "2026-02-01 00:00"), ("1q", "2026-04-01 00:00"), ("1y", "2027-01-01 00:00"), ("1d" * 30, "2026-01-31 00:00"),
    ],
)  # fmt: skip
def test_lengths_of_time(length, wanted):
    assert result('d("2026-01-01").add(s).format("%Y-%m-%d %H:%M")', {"s": length}) == wanted


def test_a_length_of_time_is_of_sixty_characters_at_most():
    with pytest.raises(ExpressionError, match="a length of time"):
        result('d("2026-01-01").add(s)', {"s": "1d" * 31})


@pytest.mark.parametrize(("depth", "accepted"), [(40, True), (41, False)])
def test_a_formula_is_nested_forty_deep_at_most(depth, accepted):
    source = "[" * depth + "]" * depth
    if accepted:
        Expression(source)
    else:
        with pytest.raises(ExpressionError, match="nested at most 40 levels deep"):
            Expression(source)


def test_every_function_and_method_has_an_example():
    formulas = " ".join(source for source, _ in EXAMPLES)
    assert len(EXAMPLES) > 130
    assert not [name for name in (*FUNCTIONS, *LOOPS, "matches", "extract") if f"{name}(" not in formulas]
    assert not [name for name in METHODS if f".{name}(" not in formulas]


DATA = {"a": 5, "b": 2.5, "n": None, "t": True, "s": "Hello", "l": [1, 2, 3], "o": {"x": 1}, "mixed": [1, "a", None]}

# Where we follow ZEN expressions although it could be otherwise, and where we do not (the reason beside it).
SEMANTICS = [
    ("-2 ^ 2", 4),
    ("not t == t", False),
    ("2 ^ 3 ^ 0", 2),
    ("n ?? 3 * 2", 6),
    ("a ?? 1 + 1", 6),
    ("true ? 1 : false ? 2 : 3", 1),
    ("1 + 2 in [3]", True),
    ("true and 5", 5),
    ("t ? s : 1 / 0", "Hello"),
    ("false and missing.thing > 3", False),
    ("s[1]", "e"),
    ("s[9]", None),
    ("s[1:2]", "el"),
    ("[1] == [1]", False),
    ("null == missing", True),
    ("true == 1", False),
    ("1 in [true]", False),
    ("null in mixed", True),
    ("data.in ?? 1", 1),
    ("order ?? index ?? notion ?? 4", 4),
    ("mode([1, 2, 3, 3, 2])", 3),
    ("round(-2.5)", -3),
    ("round(2.345, 2)", 2.35),
    ("number('1e3')", 1000),
    ("isNumeric('1e999999')", False),
    ("sum([0.1, 0.2]) == 0.3", True),
    ("1 / 3 * 3 < 1", True),
    ("keys(l)", [0, 1, 2]),
    ("split('ab', '')", ["", "a", "b", ""]),
    ("`a${1}b${`c`}`", "a1bc"),
    ("d('2024-02-29').add(1, 'y').isValid()", False),
    ("d('2023-01-31').diff(d('2023-02-28'), 'month')", -1),
    ("d('2023-03-25 12:00', 'Europe/Paris').add('1d').hour()", 13),
    ("d('x') == d('x')", False),
    # ZEN counts bytes, and keeps the zeros at the end of a decimal.
    ("len('é')", 1),
    ("'é'[0]", "é"),
    ("string(2 * 2.5)", "5"),
    ("string(-0.0)", "0"),
    # ZEN takes the local time of an instant for that of the time zone, and "" for true.
    ("d('2023-10-15T12:00:00+02:00') == d('2023-10-15T10:00:00Z')", True),
    ("d('2023-10-15T22:30:00Z', 'Europe/Berlin').day()", 16),
    ("bool('')", False),
    # In ZEN this is the present.
    ("d('Europe/Berlin').isValid()", False),
    # Long chains and many brackets are not deep.
    ("+".join("1" * 900), 900),
    ("(" * 300 + "a" + ")" * 300, 5),
    (" and ".join(["t"] * 200), True),
]


@pytest.mark.parametrize(("source", "expected"), SEMANTICS, ids=[case[0][:60] for case in SEMANTICS])
def test_operators_and_functions_mean_what_they_are_known_to_mean(source, expected):
    found = result(source, DATA)
    assert found == expected
    assert isinstance(found, bool) == isinstance(expected, bool)


REFUSED = [
    ("", "must not be empty"),
    ("1 +", "ends too early"),
    ("(1", "ends too early (expected ))"),
    ("a b", "'b' at character 3"),
    ("1 + * 2", "'*' at character 5"),
    ("a = 5", "'=' at character 3"),
    ("x + 'abc", "the text at character 5 is not closed"),
    ("nothing(1)", "'nothing' at character 1 is not a function"),
    ("1 + a.fly()", "'fly' at character 7 is not a method"),
    ("len()", "len at character 1 needs 1 value (got 0)"),
    ("round(1, 2, 3)", "needs 1 to 2 values (got 3)"),
    ("# > 1", "# at character 1"),
    ("a as b", "'as' at character 3"),
    ("len(a as b)", "'as' at character 5"),
    ("rand(5)", "'rand' at character 1 is not allowed"),
    ("date('now')", "'date' at character 1 is not allowed"),
    ("year(data.x)", "not allowed"),
    ("1 + time ('now')", "'time' at character 5 is not allowed"),
    ("d()", "'d()' at character 1 is not allowed"),
    ("d(data.a).isToday()", "'isToday' at character 11 is not allowed"),
    # What took the process with it, or never ended
    ('d("2024-01-01").format("%Q")', "format does not know %Q"),
    ("d(data.at).format('%')", "ends with a single %"),
    ("count([0..9223372036854775807], true)", "at most 1,000 numbers"),
    ("some([1..100000000], # > 1)", "at most 1,000 numbers"),
    ("map([1..amount], #)", "must be whole numbers"),
    ("len([1..3])", "the range at character 5"),
    ("len(map([1..1000], len(map([1..1000], 1))))", "map at character 24 must not be inside another"),
    ("filter(l, some(l, # > 1))", "some at character 11 must not be inside another"),
    ("1" * 2_001, "at most 2,000 characters"),
    ("-" * 1_500 + "1", "nested at most 40 levels deep"),
    ("[" * 500 + "]" * 500, "nested at most 40 levels deep"),
    ("1 + 1e999999", "1e999999 at character 5 cannot be evaluated: a number is beyond 10^28"),
    ("1" * 40, "beyond 10^28"),
    # What can never succeed
    ("matches(s, o)", "must be a string in quotation marks"),
    (r"matches(s, '(')", "must be a valid regular expression"),
    (r"matches(s, '\pL{1000}')", "must be a valid regular expression"),
    (r"extract(s, '(a?){900}a{900}')", "must be a smaller regular expression"),
    ("d(a).tz('Mars')", "a time zone must be a name"),
    ("d(a).add('soon')", "a length of time"),
    ("d(a).startOf('fortnight')", "a unit of time"),
    ("number('x')", "needs a string that is a number"),
]


@pytest.mark.parametrize(("source", "sentence"), REFUSED, ids=[case[0][:50] for case in REFUSED])
def test_a_formula_that_cannot_be_used_is_refused_on_saving_with_its_position(source, sentence):
    with pytest.raises(ExpressionError) as refused:
        Expression(source)
    assert sentence in str(refused.value)


FAILING = [
    ("s > 1", "> needs two numbers or two dates (got string and number)"),
    ("n + 1", "+ needs two numbers or two texts (got null and number)"),
    ("not a", "not needs true or false (got number)"),
    ("a and t", "and needs true or false"),
    ("a ? 1 : 2", "? needs true or false"),
    ("huge + 1", "beyond 10^28"),
    ("far + 1", "beyond 10^28"),
    ("nan + 1", "infinite or not a number"),
    ("a * 9e27", "beyond 10^28"),
    ("9 ^ 999", "beyond 10^28"),
    ("2 ^ 1001", "an exponent is beyond 1,000"),
    ("(0 - 8) ^ 0.5", "not a number"),
    ("long + long", "more than 20,000 characters"),
    ("`${long}${long}`", "more than 20,000 characters"),
    ("len(many)", "more than 5,000 items"),
    ("some(many, # > 1)", "more than 5,000 items"),
    ("flatten([most, most])", "would have more than 5,000 items"),
    ("sum(map(most, # * 2 + # * 3 + # * 4 + # * 5 + # * 6))", "more than 50,000 steps"),
    ("max([])", "needs an array with items"),
    ("s[9:12]", "is not within the length 5"),
    ("fuzzyMatch(long, s)", "at most 200 characters"),
    ("matches(long, 'a')", "at most 2,000 characters"),
    ("d(s) < d('2024-01-01')", "not a valid date"),
    ("s.year()", "needs a date"),
    ("`${l}`", "cannot become a string"),
    ("map(l, # > 1 ? # : missing + 1)", "+ needs"),
    ("t in t", "in needs an array"),
    ("broken.x", "could not be evaluated"),
]


class Broken:
    """What no data can be: something that raises when it is looked at."""

    @property
    def __class__(self):
        raise PanicError


class PanicError(BaseException):
    """As a library in another language raises it: no `except Exception` holds it."""


@pytest.mark.parametrize(("source", "sentence"), FAILING, ids=[case[0] for case in FAILING])
def test_a_formula_that_fails_says_why_and_raises_nothing_else(source, sentence):
    hostile = {
        "huge": 10**40, "far": 1e300, "nan": float("nan"), "long": "x" * 15_000, "many": [1] * 5_001,
        "most": [1] * 4_000, "broken": Broken(),
    }  # fmt: skip
    formula = Expression(source)
    with pytest.raises(ExpressionError) as failed:
        formula.evaluate({**DATA, **hostile})
    assert sentence in str(failed.value)


def test_a_number_beyond_all_bounds_harms_only_the_formulas_that_read_it():
    names = {"data": {"amount": 10, "barcode": 55555555555555555555, "far": 7.9e28, "worse": 10**400}, "amount": 10}
    assert Expression("floor(data.amount)").evaluate(names) == 10
    assert Expression("amount * 2").evaluate(names) == 20
    assert Expression("data.barcode % 10").evaluate(names) == 5
    for source in ("data.far + 1", "data.worse > 1"):
        with pytest.raises(ExpressionError):
            Expression(source).evaluate(names)


@pytest.mark.parametrize("problem", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_is_not_kept(problem):
    class Ending:
        def get(self, _name):
            raise problem

    with pytest.raises(problem):
        Expression("a").evaluate(Ending())


def test_amounts_are_exact():
    assert Expression("0.1 + 0.2").amount({}) == Decimal("0.3")
    assert Expression("data.price * 3").amount({"data": {"price": 19.99}}) == Decimal("59.97")
    assert Expression("'12'").amount({}) is None
    assert Expression("true").amount({}) is None


def test_templates_fill_in_what_they_can():
    assert Template("{{ a }} of {{ b.c }}").render({"a": 3}) == "3 of "
    assert Template("{{ a / 2 }}, {{ t }}, {{ l }}").render({"a": 3, "t": True, "l": ["x", 1.5]}) == "1.5, true, x, 1.5"
    assert Template("{{ d(at) }}").render({"at": "2026-01-01"}) == "2026-01-01T00:00:00Z"
    with pytest.raises(ExpressionError):
        Template("{{ 1 + }}")
    with pytest.raises(ExpressionError):
        Template("{{ a }}" * 21)


ATOMS = st.sampled_from(
    ["a", "b", "n", "t", "s", "l", "o", "o.x", "l[0]", "mixed", "many", "huge", "far", "nan", "long", "deep", "odd",
     "1", "0", "0.1", "9e27", "'x'", "null", "true", "missing", "d('2024-02-29')", "d(s)", "$root"]
)  # fmt: skip
OPERATORS = st.sampled_from(
    ["+", "-", "*", "/", "%", "^", "==", "!=", "<", "<=", ">", ">=", "and", "or", "??", "in", "not in"]
)
CALLS = st.sampled_from([f"{name}({{0}})" for name in FUNCTIONS] + [f"{name}({{0}}, {{1}})" for name in FUNCTIONS])
METHOD_CALLS = st.sampled_from(
    [f"{{0}}.{name}()" for name in METHODS] + [f"{{0}}.{name}({{1}}, 'd')" for name in METHODS]
)
LOOPED = st.sampled_from(
    [f"{name}({{0}}, # == {{1}})" for name in LOOPS] + ["map({0}, {1})", "flatMap({0}, [#, #, {1}])"]
)


def combined(parts):
    two = st.tuples(parts, parts)
    return st.one_of(
        st.builds(lambda pair, sign: f"({pair[0]} {sign} {pair[1]})", two, OPERATORS),
        st.builds(lambda pair, form: form.format(*pair), two, st.one_of(CALLS, METHOD_CALLS, LOOPED)),
        st.builds(lambda pair: f"({pair[0]} ? {pair[1]} : {pair[0]})", two),
        st.builds(lambda pair: f"[{pair[0]}, {pair[1]}, {pair[0]}]", two),
        st.builds(lambda pair: f"{{x: {pair[0]}, [{pair[1]}]: 1}}", two),
        st.builds(lambda pair: f"`${{{pair[0]}}}${{{pair[1]}}}`", two),
        st.builds(lambda pair: f"{pair[0]}[{pair[1]}:]", two),
        st.builds(lambda pair: f"{pair[0]} in [{pair[1]}..{pair[0]})", two),
        st.builds(lambda part: f"-{part}", parts),
    )


deep = []
for _ in range(300):
    deep = [deep, {"x": deep}]
HOSTILE = {
    **DATA, "many": [1.5] * 5_001, "huge": 10**400, "far": 1e300, "nan": float("nan"), "long": "é" * 20_000,
    "deep": deep, "odd": "\ud800\x00",
}  # fmt: skip


@given(st.recursive(ATOMS, combined, max_leaves=12))
def test_a_hostile_formula_is_refused_or_comes_to_a_value_within_its_bounds(source):
    try:
        found = Expression(source).evaluate(HOSTILE)
    except ExpressionError:
        return
    if isinstance(found, str):
        assert len(found) <= limits.TEXT_MAX
    if isinstance(found, int | float) and not isinstance(found, bool):
        assert abs(found) <= 10**28


@given(st.text(max_size=200))
def test_any_text_is_a_formula_or_is_refused(source):
    try:
        Expression(source).evaluate(DATA)
    except ExpressionError as refused:
        assert str(refused)  # noqa: PT017


@given(st.text(alphabet="()[]{}`$\"'#.,:?+-*/^%!=<> \nabd019e_\\", max_size=300))
def test_any_mixture_of_signs_is_a_formula_or_is_refused(source):
    try:
        Expression(source).evaluate(DATA)
    except ExpressionError as refused:
        assert str(refused)  # noqa: PT017
