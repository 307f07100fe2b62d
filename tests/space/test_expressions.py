"""The language of `require:` and `--where`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.space.expressions import KEYWORDS, ExpressionError, Name, evaluate, parse

VALUES = {"a": 3, "b": 0.5, "flag": True, "opt": "sgd", "off": None, "steps": [1, 2]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a > 2", True),
        ("a >= 4 or b < 1", True),
        ("1 < a < 3", False),
        ("1 < a <= 3 and flag", True),
        ("not flag or not (a == 3)", False),
        ("opt in ['sgd', \"adamw\"]", True),
        ("opt not in ['sgd']", False),
        ("a in [-3, 3.0]", True),
        ("a + 2 * b == 4", True),
        ("a - 1 - 1 == 1", True),
        ("a / 2 / 2 > 0.7", True),
        ("-a < -2.5e0", True),
        ("(a + 1) * 2 == 8", True),
        ("off == null", True),
        ("off != null or a == 3", True),
        ("flag", True),
        ("opt == 1", False),
        ("flag == 1", False),
        ("off < 1 or off >= 1", False),
        ("off + 1 > 0", False),
        ("steps == steps", True),
    ],
)
def test_a_condition_has_the_value_that_mathematics_gives_it(text: str, value: bool) -> None:
    assert evaluate(parse(text), VALUES) is value


@pytest.mark.parametrize("text", ["opt < 1", "steps < steps", "a / 0 > 1", "a and flag", "missing > 1", "opt + 1 > 0"])
def test_a_condition_without_a_meaning_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        evaluate(parse(text), VALUES)


@pytest.mark.parametrize(
    ("text", "offset", "words"),
    [
        ("", 0, "empty"),
        ("a <", 3, "expected a name"),
        ("a < 1 b", 6, "expected 'and' or 'or'"),
        ("(a < 1", 6, "expected '\\)'"),
        ("a in b", 5, "expected '\\['"),
        ("a in []", 6, "expected a value"),
        ("a in [-true]", 6, "expected a number"),
        ("a = 1", 2, "cannot read '= 1'"),
        ("__import__('os')", 10, "expected 'and'"),
        ("a; b", 1, "cannot read"),
        ("a.b > 1", 1, "cannot read"),
        ("a > 1e999", 4, "too large"),
        ("a > " + "9" * 5000, 4, "too long"),
        ("a + 1", 0, "not a condition"),
        ("(" * 100 + "a", 21, "deep"),
        ("not " * 100 + "a", 84, "deep"),
        ("a" + "+a" * 300, 200, "at most 200"),
    ],
)
def test_what_is_no_condition_is_refused_where_it_goes_wrong(text: str, offset: int, words: str) -> None:
    with pytest.raises(ExpressionError, match=words) as caught:
        parse(text)
    assert caught.value.offset == offset


def test_names_are_those_of_parameters_alone() -> None:
    assert parse("a < b and not (c in [1, 'x'] or -d + 1 > 2)").names == {"a", "b", "c", "d"}


def test_a_word_of_python_can_be_a_name() -> None:
    assert parse("lambda") == Name("lambda")


@given(st.text(alphabet="ab01.<>=!+-*/()[],'\" ", max_size=30) | st.text(max_size=60))
def test_any_text_parses_or_is_refused_and_a_tree_prints_as_itself(text: str) -> None:
    try:
        tree = parse(text)
    except ExpressionError as error:
        assert 0 <= error.offset <= len(text)
    else:
        assert parse(str(tree)) == tree
        assert not tree.names & KEYWORDS
