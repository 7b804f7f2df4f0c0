"""The grammar and the parser of formulas: a string becomes a tree, or a FormulaError with the position."""

from functools import lru_cache
from typing import Any, cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput, UnexpectedToken

from .limits import DEPTH_MAX, SOURCE_MAX, FormulaError

Branch = Tree[Token]

# From the lowest precedence to the highest. A chain of equal operators is one node, so a long sum is not nested deeply.
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

# The names of tokens in error messages.
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
    """Return the tree of a formula. Raise FormulaError, with the position, if it is invalid or exceeds a bound."""
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
    """Return the position of a part, for error messages."""
    start = part.start_pos if isinstance(part, Token) else getattr(part.meta, "start_pos", None)
    return f"at character {(start or 0) + 1}"


def _check_depth(tree: Branch) -> None:
    """Check the tree's depth without recursion, which is safe only afterwards."""
    depths: dict[int, int] = {}
    for branch in tree.iter_subtrees():  # children before their parents
        inner = [depths[id(child)] for child in branch.children if isinstance(child, Tree)]
        depth = depths[id(branch)] = 1 + max(inner, default=0)
        if depth > DEPTH_MAX + 1:
            raise FormulaError(f"it must be nested at most {DEPTH_MAX} levels deep")


def _sentence(source: str, problem: UnexpectedInput) -> str:
    """Return the message of a syntax error, with the expected token if there is only one or it is a bracket."""
    if isinstance(problem, UnexpectedToken) and problem.token.type == "$END":
        return f"it ends too early{_expected(problem)}"
    index = problem.pos_in_stream or 0
    token = source[index]
    if isinstance(problem, UnexpectedToken) and problem.token.type != "TEMPLATE_TEXT":  # that can be any text
        token = str(cast("Any", problem).token)
    if token[0] in "'\"" and token[0] not in source[index + 1 :]:
        return f"the text at character {index + 1} is not closed"
    return f"unexpected {token!r} at character {index + 1}{_expected(problem)}"


def _expected(problem: UnexpectedInput) -> str:
    accepted: Any = problem.accepts if isinstance(problem, UnexpectedToken) else None
    expected: set[str] = set(accepted or ())
    closing = [literal for literal in _CLOSING if literal in expected]
    names = closing or (sorted(expected) if len(expected) == 1 else [])
    return f" (expected {' or '.join(_SPELLINGS.get(name, name.lower()) for name in names)})" if names else ""
