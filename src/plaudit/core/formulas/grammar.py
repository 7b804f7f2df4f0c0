"""The grammar of formulas, and the parser: a text to a tree, or a FormulaError that names the position."""

from functools import lru_cache
from typing import Any, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from .limits import DEPTH_MAX, SOURCE_MAX, FormulaError

Branch = Tree[Token]

# From the loosest operator to the tightest. A chain of one kind is one node, so that a long sum is not a deep one.
GRAMMAR = r"""
start: expression

?expression: either
    | either "?" expression ":" expression -> choice
?either: both (OR both)*
?both: comparison (AND comparison)*
?comparison: negation ((COMPARE | NOT_IN | IN) negation)*
?negation: sum
    | NOT negation -> not_
?sum: product (SIGN product)*
?product: power (TIMES power)*
?power: default
    | default "^" power -> power
?default: unary ("??" unary)*
?unary: postfix
    | SIGN unary -> signed

?postfix: primary
    | postfix "." NAME -> member
    | postfix "." NAME "(" [argument ("," argument)* [","]] ")" -> method
    | postfix "[" expression "]" -> index
    | postfix "[" [expression] COLON [expression] "]" -> slice

?primary: NUMBER -> number
    | TEXT -> text
    | "true" -> true
    | "false" -> false
    | "null" -> null
    | NAME -> name
    | "#" -> item
    | NAME "(" [argument ("," argument)* [","]] ")" -> call
    | "(" expression ")"
    | "[" [expression ("," expression)* [","]] "]" -> list
    | (LPAR | LSQB) expression ".." expression (RPAR | RSQB) -> range
    | "{" [pair ("," pair)* [","]] "}" -> object
    | "`" (TEMPLATE_TEXT | "${" expression "}")* "`" -> template

?argument: expression
    | expression AS NAME -> aliased
pair: key ":" expression
?key: (NAME | NUMBER) -> key
    | TEXT -> text
    | "[" expression "]"

OR.2: /or(?![\w$])/
AND.2: /and(?![\w$])/
NOT_IN.3: /not\s+in(?![\w$])/
NOT.2: /not(?![\w$])|!(?!=)/
IN.2: /in(?![\w$])/
AS.2: /as(?![\w$])/
COMPARE: "==" | "!=" | "<=" | ">=" | "<" | ">"
SIGN: "+" | "-"
TIMES: "*" | "/" | "%"
COLON: ":"
LPAR: "("
RPAR: ")"
LSQB: "["
RSQB: "]"
NUMBER: /[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][+-]?[0-9]+)?/
TEXT: /"[^"]*"|'[^']*'/
NAME: /[A-Za-z_$][A-Za-z0-9_$]*/
TEMPLATE_TEXT.5: /(?:[^`$]|\$(?!\{))+/
%ignore /[ \t\r\n]+/
"""

# What a reader calls the tokens that have no single spelling.
_SPELLINGS = {
    "NAME": "a name", "NUMBER": "a number", "TEXT": "a string", "SIGN": "+ or -", "TIMES": "*, / or %",
    "COMPARE": "a comparison", "TEMPLATE_TEXT": "text", "$END": "the end", "OR": "or", "AND": "and", "NOT": "not",
    "IN": "in", "NOT_IN": "not in", "AS": "as", "RPAR": ")", "RSQB": "]", "LPAR": "(", "LSQB": "[", "COLON": ":",
    "COMMA": ",", "RBRACE": "}", "LBRACE": "{",
}  # fmt: skip
_CLOSING = ("RPAR", "RSQB", "RBRACE")


@lru_cache(maxsize=1)
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", lexer="contextual", propagate_positions=True, maybe_placeholders=True)


def parse(source: str) -> Branch:
    """Return the tree of a formula. Raises FormulaError, with the position, for what is none or passes a bound."""
    if len(source) > SOURCE_MAX:
        raise FormulaError(f"it must be at most {SOURCE_MAX:,} characters (got {len(source):,})")
    if not source.strip():
        raise FormulaError("it must not be empty")
    try:
        tree = _parser().parse(source)
    except UnexpectedInput as problem:
        raise FormulaError(_sentence(source, problem)) from None
    _check_depth(tree)
    only = tree.children[0]
    assert isinstance(only, Tree)
    return only


def at(part: Branch | Token) -> str:
    """Return where a part begins, as errors say it."""
    start = part.start_pos if isinstance(part, Token) else getattr(part.meta, "start_pos", None)
    return f"at character {(start or 0) + 1}"


def _check_depth(tree: Branch) -> None:
    """Check the tree's depth without recursion; only afterwards is recursion safe."""
    depths: dict[int, int] = {}
    for branch in tree.iter_subtrees():  # children before their parents
        inner = [depths[id(child)] for child in branch.children if isinstance(child, Tree)]
        depth = depths[id(branch)] = 1 + max(inner, default=0)
        if depth > DEPTH_MAX + 1:
            raise FormulaError(f"it must be nested at most {DEPTH_MAX} levels deep")


def _sentence(source: str, problem: UnexpectedInput) -> str:
    """Return the mistake in words: what was found, and what was expected, if that is one thing or a closing bracket."""
    if isinstance(problem, UnexpectedToken) and problem.token.type == "$END":
        return f"it ends too early{_wanted(problem)}"
    place = problem.pos_in_stream or 0
    found = source[place]
    if isinstance(problem, UnexpectedToken) and problem.token.type != "TEMPLATE_TEXT":  # which any text is, in part
        found = str(cast("Any", problem).token)
    if found[0] in "'\"" and found[0] not in source[place + 1 :]:
        return f"the text at character {place + 1} is not closed"
    return f"unexpected {found!r} at character {place + 1}{_wanted(problem)}"


def _wanted(problem: UnexpectedInput) -> str:
    accepted: Any = problem.accepts if isinstance(problem, UnexpectedToken) else None
    expected: set[str] = set(accepted or ())
    closing = [literal for literal in _CLOSING if literal in expected]
    names = closing or (sorted(expected) if len(expected) == 1 else [])
    return f" (expected {' or '.join(_SPELLINGS.get(name, name.lower()) for name in names)})" if names else ""
