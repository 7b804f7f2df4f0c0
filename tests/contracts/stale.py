"""Which functions of the core use a state of the member that an effect may have changed since it was read.

An effect may post to any metric, climb any ladder, check in to any streak. So a state that was read before one was
carried out is stale after it, and must be read again. States are told by their types: a parameter of such a type, and
what a function returns of one, or `member.<part>` holds. Who carries out effects is told by who calls whom.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

STATES = {
    "Balance",
    "Book",
    "Progress",
    "StepProgress",
    "StreakState",
    "LadderState",
    "SegmentState",
    "Standing",
    "CompetitionState",
    "Holding",
}
PARTS = {"balances", "progress", "holdings"}
Symbol = tuple[str, str]  # a module, and a name in it; a method by its class and name
Function = ast.FunctionDef


def stale_uses(modules: Mapping[str, str]) -> Iterator[str]:
    """Return where states are used that are stale, of modules by their names in the package."""
    core = _Core({name: ast.parse(text) for name, text in modules.items()})
    for (module, name), function in core.functions.items():
        for line, variable in _Reader(core, module).read(function):
            yield f"{module}.{name}:{line}: {variable} was read before an effect may have changed it"


class _Core:
    """What is called what, who calls whom, and who thereby carries out effects."""

    def __init__(self, trees: Mapping[str, ast.Module]) -> None:
        self.functions: dict[Symbol, Function] = {}
        self.imported: dict[str, dict[str, Symbol]] = {name: dict(_imports(tree)) for name, tree in trees.items()}
        bodies: dict[Symbol, ast.AST] = {}
        for module, tree in trees.items():
            for node in tree.body:
                if isinstance(node, Function):
                    self.functions[module, node.name] = node
                elif isinstance(node, ast.ClassDef):
                    self.functions |= {
                        (node.name, child.name): child for child in node.body if isinstance(child, Function)
                    }
                elif isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
                    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                    bodies |= {(module, target.id): node.value for target in targets if isinstance(target, ast.Name)}
        self.modules = {symbol: symbol[0] for symbol in self.functions} | _modules_of_methods(trees)
        bodies |= self.functions
        named = {symbol: set(self._named(self.modules.get(symbol, symbol[0]), body)) for symbol, body in bodies.items()}
        self.emitting = {symbol for symbol, body in bodies.items() if any(map(_applies_an_effect, ast.walk(body)))}
        while more := {symbol for symbol, used in named.items() if used & self.emitting} - self.emitting:
            self.emitting |= more

    def _named(self, module: str, body: ast.AST) -> Iterator[Symbol]:
        for node in ast.walk(body):
            found = self.symbol(module, node)
            if found is not None:
                yield found

    def symbol(self, module: str, node: ast.AST) -> Symbol | None:
        """Return what a name stands for, if it is one of the core's."""
        if isinstance(node, ast.Name):
            return self.imported[module].get(node.id, (module, node.id))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id in ("context", "self"):
                return ("Context", node.attr)
            where = self.imported[module].get(node.value.id)
            return None if where is None else (where[1], node.attr)
        return None

    def emits(self, module: str, node: ast.AST) -> bool:
        """Return whether a call may carry out effects."""
        if not isinstance(node, ast.Call):
            return False
        if _applies_an_effect(node):
            return True
        called = [node.func, *node.args]  # a function that is handed on is called
        return any(self.symbol(module, name) in self.emitting for name in called)

    def states_in(self, module: str, call: ast.Call) -> list[bool]:
        """Return which items of the tuple that a call returns are states."""
        function = self.functions.get(self.symbol(module, call.func) or ("", ""))
        returns = None if function is None else function.returns
        if isinstance(returns, ast.Subscript) and isinstance(returns.slice, ast.Tuple):
            return [_is_of_state(element) for element in returns.slice.elts]
        return []

    def returns_state(self, module: str, call: ast.Call) -> bool:
        function = self.functions.get(self.symbol(module, call.func) or ("", ""))
        return function is not None and _is_of_state(function.returns)


def _modules_of_methods(trees: Mapping[str, ast.Module]) -> dict[Symbol, str]:
    return {
        (node.name, child.name): module
        for module, tree in trees.items()
        for node in tree.body
        if isinstance(node, ast.ClassDef)
        for child in node.body
        if isinstance(child, Function)
    }


def _imports(tree: ast.Module) -> Iterator[tuple[str, Symbol]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith("plaudit.")):
            for name in node.names:
                yield name.asname or name.name, ((node.module or "").rpartition(".")[2], name.name)


def _applies_an_effect(node: ast.AST) -> bool:
    """`self._appliers[…](…)`: the place where an effect's function is found by its type, and called.

    Likewise `MECHANIC_RULES[…].meet(…)`, or `MECHANIC_RULES[…].meet` handed to a call: a mechanic may run effects.
    """
    match node:
        case ast.Call(func=ast.Subscript(value=ast.Attribute(attr="appliers" | "_appliers"))):
            return True
        case ast.Call(func=ast.Attribute(value=ast.Subscript(value=ast.Name(id="MECHANIC_RULES")))):
            return True
        case ast.Call(args=[ast.Attribute(value=ast.Subscript(value=ast.Name(id="MECHANIC_RULES"))), *_]):
            return True
        case _:
            return False


def _is_of_state(annotation: ast.AST | None) -> bool:
    return annotation is not None and any(
        isinstance(inner, ast.Name) and inner.id in STATES for inner in ast.walk(annotation)
    )


@dataclass
class _Flow:
    """What is known at a place of a function: variables that hold states, and those of them that are stale."""

    states: set[str] = field(default_factory=set)
    stale: set[str] = field(default_factory=set)
    over: bool = False  # nothing comes after it

    def copy(self) -> "_Flow":
        return _Flow(set(self.states), set(self.stale), self.over)

    def join(self, others: Iterable["_Flow"]) -> None:
        going_on = [flow for flow in others if not flow.over]
        self.over = not going_on
        self.states = set().union(*(flow.states for flow in going_on))
        self.stale = set().union(*(flow.stale for flow in going_on))


class _Reader:
    def __init__(self, core: _Core, module: str) -> None:
        self._core = core
        self._module = module
        self._found: dict[tuple[int, str], None] = {}

    def read(self, function: Function) -> list[tuple[int, str]]:
        """Return the stale uses in a function, by line and variable."""
        self._module = self._core.modules.get((self._module, function.name), self._module)
        arguments = [*function.args.args, *function.args.kwonlyargs]
        flow = _Flow({argument.arg for argument in arguments if _is_of_state(argument.annotation)})
        self._block(function.body, flow)
        return list(self._found)

    def _block(self, body: list[ast.stmt], flow: _Flow) -> None:
        for statement in body:
            if flow.over:
                return
            self._statement(statement, flow)

    def _statement(self, node: ast.stmt, flow: _Flow) -> None:
        match node:
            case ast.If():
                self._expression(node.test, flow)
                self._branches([node.body, node.orelse], flow)
            case ast.For() | ast.While():
                self._expression(node.iter if isinstance(node, ast.For) else node.test, flow)
                for _ in range(2):  # what is stale at its end is stale at the next beginning
                    if isinstance(node, ast.For):
                        self._bind(node.target, node.iter, flow)
                    else:
                        self._expression(node.test, flow)
                    self._branches([node.body, []], flow)
            case ast.Try():
                self._branches([node.body, []], flow)
                self._branches([*(handler.body for handler in node.handlers), node.orelse], flow)
                self._block(node.finalbody, flow)
            case ast.Match():
                self._expression(node.subject, flow)
                self._branches([*(case.body for case in node.cases), []], flow)
            case ast.With():
                self._block(node.body, flow)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign() if node.value is not None:
                self._expression(node.value, flow)
                for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                    self._expression(target, flow)
                    self._bind(target, node.value, flow)
            case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
                for child in ast.iter_child_nodes(node):
                    self._expression(child, flow)
                flow.over = True
            case ast.FunctionDef():
                pass
            case _:
                for child in ast.iter_child_nodes(node):
                    self._expression(child, flow)

    def _branches(self, bodies: list[list[ast.stmt]], flow: _Flow) -> None:
        ways = [flow.copy() for _ in bodies]
        for body, way in zip(bodies, ways, strict=True):
            self._block(body, way)
        flow.join(ways)

    def _expression(self, node: ast.AST, flow: _Flow) -> None:
        """Note the stale variables that are used, then what its calls make stale."""
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Load) and inner.id in flow.stale:
                self._found[inner.lineno, inner.id] = None
        if any(self._core.emits(self._module, inner) for inner in ast.walk(node)):
            flow.stale |= flow.states

    def _bind(self, target: ast.expr, value: ast.expr, flow: _Flow) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
            for element, of in zip(target.elts, value.elts, strict=True):
                self._bind(element, of, flow)
            return
        names = [
            inner.id for inner in ast.walk(target) if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store)
        ]
        states = [name for name in names if self._is_state(value, flow)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Call):
            states = [
                name
                for name, is_state in zip(names, self._core.states_in(self._module, value), strict=False)
                if is_state
            ]
        flow.stale.difference_update(names)
        flow.states.difference_update(names)
        flow.states.update(states)

    def _is_state(self, value: ast.expr, flow: _Flow) -> bool:
        match value:
            case ast.Name():
                return value.id in flow.states
            case ast.Attribute():
                return value.attr == "book" and self._is_state(value.value, flow)
            case ast.Subscript():
                return self._is_part(value.value)
            case ast.IfExp():
                return self._is_state(value.body, flow) or self._is_state(value.orelse, flow)
            case ast.BoolOp():
                return any(self._is_state(inner, flow) for inner in value.values)
            case ast.Call(func=ast.Attribute(attr="replace")):
                return self._is_state(value.args[0], flow) if value.args else False
            case ast.Call(func=ast.Attribute(attr="get" | "values" | "items", value=of)):
                return self._is_part(of)
            case ast.Call():
                return self._core.returns_state(self._module, value)
            case _:
                return False

    def _is_part(self, node: ast.expr) -> bool:
        """`member.balances`, `context.member.progress`, `streaks_of(context.member)` and the like."""
        if isinstance(node, ast.Call):
            return self._core.returns_state(self._module, node)
        if not isinstance(node, ast.Attribute) or node.attr not in PARTS:
            return False
        of = node.value
        return (isinstance(of, ast.Name) and of.id == "member") or (
            isinstance(of, ast.Attribute) and of.attr == "member"
        )
