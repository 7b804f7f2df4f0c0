"""The mutants of a module: each replaces one part of its source, such as `<` by `<=`, and keeps the line numbers."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

Node = ast.expr | ast.stmt  # what has a place in the source
COMPARISONS = {
    ast.Lt: ("<", "<="), ast.LtE: ("<=", "<"), ast.Gt: (">", ">="), ast.GtE: (">=", ">"), ast.Eq: ("==", "!="), ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"), ast.IsNot: (r"is\s+not", "is"), ast.In: ("in", "not in"), ast.NotIn: (r"not\s+in", "in"),
}  # fmt: skip
ARITHMETIC = {
    ast.Add: (r"\+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: (r"\*", "//"),
    ast.FloorDiv: ("//", "*"),
    ast.Div: ("/", "*"),
}
OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any"}
NOT_MUTATED = {"annotation", "returns", "decorator_list", "keywords of a class", "exc"}  # types, and texts of errors


class Mutant(NamedTuple):
    """A module, which bytes of it (from `first` to `last`) are replaced by what, and the line on which they begin."""

    path: Path
    line: int
    first: int
    last: int
    text: str
    in_function: bool

    @property
    def source(self) -> bytes:
        """The module with the change."""
        original = self.path.read_bytes()
        return original[: self.first] + self.text.encode() + original[self.last :]

    @property
    def before(self) -> str:
        """The lines that are changed, as one."""
        original = self.path.read_bytes()
        return self._lines(original, original[: self.last].count(b"\n"))

    @property
    def after(self) -> str:
        """What becomes of them."""
        return self._lines(self.source, self.line - 1 + self.text.count("\n"))

    def _lines(self, source: bytes, last: int) -> str:
        lines = source.decode().splitlines()[self.line - 1 : last + 1]
        return " ".join(map(str.strip, lines)).strip()


def mutants_of(path: Path) -> Iterator[Mutant]:
    """Return all mutants of a module, in the order of its lines."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def begin(node: Node) -> int:
        return starts[node.lineno - 1] + node.col_offset

    def end(node: Node) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return starts[node.end_lineno - 1] + node.end_col_offset

    def changes(node: ast.AST) -> Iterator[tuple[int, int, str]]:
        """Return what to put in place of which bytes."""

        def between(left: Node, right: Node, pattern: str, text: str) -> tuple[int, int, str]:
            gap = source[end(left) : begin(right)].decode()
            return end(left), begin(right), re.sub(pattern, text.replace("\\", ""), gap, count=1)

        def instead(part: Node, *texts: str) -> Iterator[tuple[int, int, str]]:
            return ((begin(part), end(part), text) for text in texts)

        match node:
            case ast.Compare():
                for left, op, right in zip([node.left, *node.comparators], node.ops, node.comparators, strict=False):
                    yield between(left, right, *COMPARISONS[type(op)])
            case ast.BoolOp():
                words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
                for left, right in zip(node.values, node.values[1:], strict=False):
                    yield between(left, right, *words)
            case ast.BinOp() if type(node.op) in ARITHMETIC:
                yield between(node.left, node.right, *ARITHMETIC[type(node.op)])
            case ast.AugAssign() if type(node.op) in ARITHMETIC:
                yield between(node.target, node.value, *ARITHMETIC[type(node.op)])
            case ast.UnaryOp(op=ast.Not() | ast.USub()):
                yield begin(node), end(node), f"({source[begin(node.operand) : end(node.operand)].decode()})"
            case ast.Constant(value=bool() as value):
                yield from instead(node, str(not value))
            case ast.Constant(value=int() as value):
                yield from instead(node, str(value + 1), *([str(value - 1)] if value else []))
            case ast.Call(func=ast.Name(id=name)) if name in OPPOSITES:
                yield from instead(node.func, OPPOSITES[name])
            case ast.Return(value=ast.expr() as value) if not (isinstance(value, ast.Constant) and not value.value):
                yield from instead(value, "None")
            case ast.If(test=test) | ast.IfExp(test=test):
                yield from instead(test, "True", "False")
            case ast.While(test=test):
                yield from instead(test, "False")
            case ast.comprehension(ifs=tests):
                yield from (change for test in tests for change in instead(test, "True"))
            case ast.match_case(guard=ast.expr() as guard):
                yield from instead(guard, "True")
            case ast.Expr(value=ast.Call()):
                yield from instead(node, "pass")
            case ast.Continue() | ast.Break():
                yield from instead(node, "break" if isinstance(node, ast.Continue) else "continue")

    for node, in_function in _nodes(ast.parse(source), in_function=False):
        for first, last, replacement in changes(node):
            text = replacement
            if padding := "\n" * (source[first:last].count(b"\n") - text.count("\n")):
                text = text + padding if text == "pass" else f"({text}{padding})"
            yield Mutant(path, source[:first].count(b"\n") + 1, first, last, text, in_function)


def _nodes(node: ast.AST, *, in_function: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Return the nodes that may be changed, and whether each is run when a function is called, not on import."""
    yield node, in_function
    for field, value in ast.iter_fields(node):
        if field in NOT_MUTATED or (field == "keywords" and isinstance(node, ast.ClassDef)):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.Assert):
                body = field == "body" and isinstance(node, ast.FunctionDef | ast.Lambda)
                yield from _nodes(child, in_function=in_function or body)
