"""Compile a tree to closures: each node becomes a function, and its errors are reported when it is compiled."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from lark import Token, Tree

from plaudit.core.patterns import Pattern, PatternError

from .dates import METHODS, method_of
from .functions import FUNCTIONS, IMPURE, IMPURE_METHODS
from .grammar import Branch, at
from .limits import DATE_STEPS, POWER_STEPS, FormulaError
from .loops import LOOPS, Items, items_of_list, items_of_range
from .numbers import negate, number_from
from .operations import OPERATIONS, among, child, sliced, within
from .parts import Instruction, carried, everything, of_two, searched, the_item, truth
from .values import Date, Run, as_text, joined, number, read, same, text

_PATTERNS: dict[str, Callable[[Pattern, str], Any]] = {"matches": Pattern.search, "extract": Pattern.groups}
_ROOT = "$root"
_SOME_DATE = Date(datetime(2026, 1, 15, tzinfo=UTC))


def compile_tree(tree: Branch) -> Instruction:
    """Return the closure of a formula. Raise FormulaError, with the position, if it is invalid."""
    part, size = _Compiler().part(tree), _size(tree)

    def value(run: Run) -> Any:
        run.spend(size)  # a step for each part; loops over lists count their parts again, for each item
        return part(run)

    return value


class _Compiler:
    """The compiler of one formula."""

    def __init__(self) -> None:
        self._aliases: list[str | None] = []  # the names for the items of the enclosing loops; None: no name
        self._fixed: list[Instruction] = []  # the parts with a constant value

    def part(self, tree: Branch | Token | None) -> Instruction:
        assert isinstance(tree, Tree)
        return getattr(self, f"_{tree.data}")(tree)

    def _parts(self, tree: Branch) -> list[Instruction]:
        return [self.part(branch) for branch in _branches(tree)]

    # Values

    def _number(self, tree: Branch) -> Instruction:
        literal = cast("Token", tree.children[0])
        return self._constant(_checked(literal, lambda: number_from(literal.replace("_", ""))))

    def _text(self, tree: Branch) -> Instruction:
        return self._constant(str(tree.children[0])[1:-1])

    def _key(self, tree: Branch) -> Instruction:
        return self._constant(str(tree.children[0]))

    def _true(self, _: Branch) -> Instruction:
        return self._constant(True)

    def _false(self, _: Branch) -> Instruction:
        return self._constant(False)

    def _null(self, _: Branch) -> Instruction:
        return self._constant(None)

    def _name(self, tree: Branch) -> Instruction:
        name = str(tree.children[0])
        if name in self._aliases:
            return the_item
        if name == _ROOT:
            return everything
        return lambda run: read(run.names.get(name))

    def _item(self, tree: Branch) -> Instruction:
        if not self._aliases:
            raise FormulaError(f"# {at(tree)} is the item of a list: use it only in map, filter and similar functions")
        return the_item

    def _list(self, tree: Branch) -> Instruction:
        parts = self._parts(tree)
        return lambda run: [part(run) for part in parts]

    def _object(self, tree: Branch) -> Instruction:
        pairs = [(self.part(pair.children[0]), self.part(pair.children[1])) for pair in _branches(tree)]
        return lambda run: {as_text(key(run)): value(run) for key, value in pairs}

    def _template(self, tree: Branch) -> Instruction:
        parts = [
            self._constant(str(branch)) if isinstance(branch, Token) else self.part(branch) for branch in tree.children
        ]
        return lambda run: joined(run, [as_text(part(run)) for part in parts])

    # Access

    def _member(self, tree: Branch) -> Instruction:
        whole, name = self.part(tree.children[0]), str(tree.children[1])

        def value(run: Run) -> Any:
            container = whole(run)
            return read(container.get(name)) if container.__class__ is dict else None

        return value

    def _index(self, tree: Branch) -> Instruction:
        whole, key = self._parts(tree)
        return lambda run: child(whole(run), key(run))

    def _slice(self, tree: Branch) -> Instruction:
        source, first, _, last = tree.children
        whole = self.part(source)
        ends = [self.part(end) if isinstance(end, Tree) else self._constant(None) for end in (first, last)]
        return lambda run: sliced(run, whole(run), ends[0](run), ends[1](run))

    # Operators

    def _choice(self, tree: Branch) -> Instruction:
        condition, yes, no = self._parts(tree)
        return lambda run: yes(run) if truth(condition(run), "?") else no(run)

    def _either(self, tree: Branch) -> Instruction:
        return self._logical(tree, until=True, word="or")

    def _both(self, tree: Branch) -> Instruction:
        return self._logical(tree, until=False, word="and")

    def _logical(self, tree: Branch, *, until: bool, word: str) -> Instruction:
        parts = self._parts(tree)
        last = len(parts) - 1

        def value(run: Run) -> Any:
            result: Any = None
            for place, part in enumerate(parts):
                result = part(run)
                if place < last and truth(result, word) is until:
                    return until
            return result

        return value

    def _not_(self, tree: Branch) -> Instruction:
        part = self.part(tree.children[1])
        return lambda run: not truth(part(run), "not")

    def _signed(self, tree: Branch) -> Instruction:
        part = self.part(tree.children[1])
        if tree.children[0] == "+":
            return part
        return lambda run: negate(number(part(run), "-"))

    def _default(self, tree: Branch) -> Instruction:
        parts = self._parts(tree)

        def value(run: Run) -> Any:
            result: Any = None
            for part in parts:
                result = part(run)
                if result is not None:
                    return result
            return result

        return value

    def _sum(self, tree: Branch) -> Instruction:
        return self._chain(tree)

    def _product(self, tree: Branch) -> Instruction:
        return self._chain(tree)

    def _power(self, tree: Branch) -> Instruction:
        a, b = self._parts(tree)
        raised = of_two(a, b, *OPERATIONS["^"])

        def value(run: Run) -> Any:
            run.spend(POWER_STEPS)
            return raised(run)

        return value

    def _comparison(self, tree: Branch) -> Instruction:
        return self._chain(tree)

    def _chain(self, tree: Branch) -> Instruction:
        """Compile operators of equal precedence, from left to right, as a loop, because nested calls would go too deep."""
        first = self.part(tree.children[0])
        signs = cast("list[Token]", tree.children[1::2])
        operands = cast("list[Branch]", tree.children[2::2])
        if len(signs) == 1:
            return self._operated(first, signs[0], operands[0])
        steps = [self._operated(carried, sign, operand) for sign, operand in zip(signs, operands, strict=True)]

        def value(run: Run) -> Any:
            result = first(run)
            for step in steps:  # a step reads `run.carried` before anything else can change it
                run.carried = result
                result = step(run)
            return result

        return value

    def _operated(self, a: Instruction, sign: Token, operand: Branch) -> Instruction:
        if sign.type in ("IN", "NOT_IN"):
            inside = self._within(a, operand) if operand.data == "range" else self._among(a, operand)
            return inside if sign.type == "IN" else lambda run: not inside(run)
        b = self.part(operand)
        if sign == "==":
            return lambda run: same(a(run), b(run))
        if sign == "!=":
            return lambda run: not same(a(run), b(run))
        return of_two(a, b, *OPERATIONS[sign])

    def _among(self, a: Instruction, operand: Branch) -> Instruction:
        b = self.part(operand)
        return lambda run: among(run, a(run), b(run))

    def _within(self, a: Instruction, operand: Branch) -> Instruction:
        opening, low, high, closing = operand.children
        bottom, top = self.part(low), self.part(high)
        from_low, to_high = str(opening) == "[", str(closing) == "]"
        return lambda run: within(a(run), bottom(run), top(run), from_low=from_low, to_high=to_high)

    def _range(self, tree: Branch) -> Instruction:
        raise FormulaError(
            f"the range {at(tree)} is not allowed there: only after in, or as the first argument of map, filter and the like"
        )

    # Calls

    def _call(self, tree: Branch) -> Instruction:
        name, arguments = str(tree.children[0]), _branches(tree)
        if name in IMPURE:
            raise FormulaError(
                f"'{name}' {at(tree)} is not allowed: a formula must give the same result every time. "
                "Use event.timestamp, or d(…) with a fixed time"
            )
        if name in LOOPS:
            return self._loop(name, tree, arguments)
        if name in _PATTERNS:
            return self._pattern(name, tree, arguments)
        function = FUNCTIONS.get(name)
        if function is None:
            raise FormulaError(f"'{name}' {at(tree)} is not a function")
        if name == "d" and not arguments:
            raise FormulaError(
                f"'d()' {at(tree)} is not allowed: a formula must give the same result every time. "
                "Use event.timestamp, or d(…) with a fixed time"
            )
        _check_count(name, tree, arguments, function.least, function.most)
        return self._called(
            cast("Token", tree.children[0]),
            function.call,
            [self.part(branch) for branch in arguments],
            dated=name == "d",
        )

    def _method(self, tree: Branch) -> Instruction:
        word = cast("Token", tree.children[1])
        name, arguments = str(word), _branches(tree)[1:]
        if name in IMPURE_METHODS:
            raise FormulaError(
                f"'{name}' {at(word)} is not allowed: a formula must give the same result every time. "
                "Use isSame(event.timestamp, 'day')"
            )
        if name not in METHODS:
            raise FormulaError(f"'{name}' {at(word)} is not a method of dates")
        least, most, function = METHODS[name]
        _check_count(name, tree, arguments, least, most)
        parts = [self.part(branch) for branch in (tree.children[0], *arguments)]
        if arguments and self._are_fixed(parts[1:]):  # check a constant unit, format or time zone with any date
            _checked(word, lambda: function(Run({}), _SOME_DATE, *[part(Run({})) for part in parts[1:]]))
        return self._called(word, method_of(name, function), parts, dated=True)

    def _called(
        self, where: Token, function: Callable[..., Any], parts: list[Instruction], *, dated: bool
    ) -> Instruction:
        cost = DATE_STEPS if dated else 0
        if self._are_fixed(parts):  # such as d("2026-01-01"): evaluate it once, now
            return self._constant(_checked(where, lambda: function(Run({}), *[part(Run({})) for part in parts])))

        def value(run: Run) -> Any:
            arguments = [part(run) for part in parts]
            for argument in arguments:
                run.spend_on(argument)
            if cost:
                run.spend(cost)
            return function(run, *arguments)

        return value

    def _are_fixed(self, parts: list[Instruction]) -> bool:
        return all(part in self._fixed for part in parts)

    def _constant(self, value: Any) -> Instruction:
        self._fixed.append(lambda _: value)
        return self._fixed[-1]

    def _aliased(self, tree: Branch) -> Instruction:
        raise FormulaError(f"'as' {at(tree)} is allowed only in map, filter and similar functions")

    def _pattern(self, name: str, tree: Branch, arguments: list[Branch]) -> Instruction:
        _check_count(name, tree, arguments, 2, 2)
        whole, literal = arguments
        if literal.data != "text":
            raise FormulaError(f"the pattern of {name} {at(tree)} must be a string in quotation marks")
        source = str(literal.children[0])[1:-1]
        try:
            pattern = Pattern(source, with_groups=name == "extract")
        except PatternError as problem:
            raise FormulaError(f"the pattern {at(literal)} {problem}") from None
        part, search = self.part(whole), _PATTERNS[name]
        return lambda run: searched(run, pattern, search, pattern.fitting(text(part(run), name)))

    def _loop(self, name: str, tree: Branch, arguments: list[Branch]) -> Instruction:
        if self._aliases:
            raise FormulaError(f"{name} {at(tree)} must not be inside another map, filter or similar function")
        _check_count(name, tree, arguments, 2, 2)
        source, body = arguments
        alias: str | None = None
        if source.data == "aliased":
            alias = str(source.children[2])
            source = cast("Branch", source.children[0])
        over: Items = self._over(source, name)
        self._aliases.append(alias)
        item = self.part(body)
        self._aliases.pop()
        size = _size(body)
        loop = LOOPS[name]

        def value(run: Run) -> Any:
            items = over(run)
            run.spend(len(items) * size)
            outer_item = run.item
            try:
                return loop(run, items, item)
            finally:
                run.item = outer_item

        return value

    def _over(self, source: Branch, name: str) -> Items:
        if source.data != "range":
            return items_of_list(self.part(source), name)
        opening, low, high, closing = source.children
        ends = [_literal(self, branch) for branch in (low, high)]
        first = ends[0] + (0 if opening == "[" else 1)
        last = ends[1] - (0 if closing == "]" else 1)
        return items_of_range(first, last, at(source))


def _size(tree: Branch) -> int:
    return sum(1 for _ in tree.iter_subtrees())


def _branches(tree: Branch) -> list[Branch]:
    return [branch for branch in tree.children if isinstance(branch, Tree)]


def _literal(compiler: _Compiler, tree: Any) -> int:
    """Return an end of a range to loop over, which must be an integer literal."""
    inner = tree.children[1] if tree.data == "signed" else tree
    if isinstance(inner, Tree) and inner.data == "number":
        end = compiler.part(tree)(Run({}))
        if isinstance(end, int):
            return end
    raise FormulaError(f"the ends of the range {at(tree)} must be whole numbers: only after in can they be formulas")


def _checked(where: Token, result: Callable[[], Any]) -> Any:
    """Return the result of a constant part. Raise FormulaError, with the position, if evaluating it fails."""
    try:
        return result()
    except FormulaError as problem:
        raise FormulaError(f"{where} {at(where)} cannot be evaluated: {problem}") from None


def _check_count(name: str, tree: Branch, arguments: list[Branch], least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        expected = str(least) if least == most else f"{least} to {most}"
        raise FormulaError(f"{name} {at(tree)} needs {expected} value{'s' if most != 1 else ''} (got {len(arguments)})")
