"""Names that say nothing, in the source and in the tests."""

import ast
import re

# Names that say nothing where they stand: the thing itself has a name.
SAYING_NOTHING = {"one", "each", "found", "given", "there"}
NOT_A_NOUN = {"told", "said", "heard", "brought", "onward", "there"}
NOT_A_VERB = re.compile(r"_?(told|said|heard|shown_\w+|see_to\w*)")


def says_nothing(node: ast.AST) -> bool:
    """A variable of a loop, of a comprehension or of a lambda; or a function."""
    match node:
        case ast.For(target=target) | ast.AsyncFor(target=target) | ast.comprehension(target=target):
            return any(isinstance(part, ast.Name) and part.id in SAYING_NOTHING for part in ast.walk(target))
        case ast.Lambda(args=arguments):
            return any(argument.arg in SAYING_NOTHING for argument in arguments.args)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            return NOT_A_VERB.fullmatch(name) is not None
    return False


def is_no_noun(node: ast.AST) -> bool:
    """Return whether a variable or a parameter is called by what was done with it."""
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name):
            return name in NOT_A_NOUN
    return False


def line_of(node: ast.AST) -> int:
    """Return the line of a node; that of a comprehension is its variable's."""
    return getattr(node.target if isinstance(node, ast.comprehension) else node, "lineno", 0)
