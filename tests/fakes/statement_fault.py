"""A bug in our code, at any statement of it: the n-th statement of the package that a thread executes raises instead.

As SQLite lets the n-th allocation fail (https://sqlite.org/testing.html): the same thing is run with n = 1, 2, 3...
until a run gets through without reaching n. `probes()` gives all functions of the package a second body, the same with
a call of a probe before each statement. `sys.settrace()` would be ten times slower, and also raises where nothing can,
such as on the way out of a `with` block.

Left out are statements that cannot fail or that nothing may guard, see `_cannot_fail()`:

* those made of names and constants alone: ``try:``, ``raise``, ``return result``, ``if call is None:``;
* the call of the user's code, `_USERS`: what is raised there is the user's;
* the call of a gate, `_GATES`: a function that guards all its statements, which are tried themselves;
* what a guard does with what it has caught: `guard.report()` is only logging, and itself in a ``try``.
"""

from __future__ import annotations

import ast
import builtins
import functools
import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FunctionType

import agentops_otel

PACKAGE = Path(agentops_otel.__file__).parent

# Functions that let no exception of theirs out.
_GATES = {
    "run", "report", "_start", "_enter", "_leave", "leave", "_finish", "_fail", "_end", "_write_content",
    "_async_request", "_async_receive", "_as_thrown", "record_in", "current_session", "is_finalizing", "keep",
    "begin", "enter", "fail", "finish", "returned", "as_thrown", "_self_call",  # as decorated functions call them
    "_followed", "_followed_later", "_async_call", "_anext", "first", "first_of_inner",
}  # fmt: skip
# How our wrappers call the user's code, or the SDK's for the user.
_USERS = {
    "hook", "wrapped", "function", "take", "self._take",
    "generator.send", "generator.throw", "generator.asend", "generator.athrow", "next", "inner.__anext__",
    "self._inner.__anext__", "step",
    "type(response).iter_bytes", "type(response).aiter_bytes", "type(response).close", "type(response).aclose",
    "type(connection).close", "self.__wrapped__", "super().__get__(args[0], type(args[0]))",
}  # fmt: skip
# Undone here is what the line itself has done: a lock given back, the fields of a dataclass, a generator's value.
_UNDOING = {"self._lock.release", "self._settling.release", "super().__init__"}
_SURE = {"MethodType", "calls.start", "item.pop", "super().__get__"}  # as they are used here
_PROBE = "__agentops_probe__"


class Fault(Exception):
    """A bug of ours."""


class StatementFault:
    """In the `with` block, and in this thread, the `number`-th statement that is executed raises `Fault`; 0 is none.

    Attributes:
        place: where that was; None when the block ended before.
        numbers: the statements that were executed, and the number of each when it was for the first time.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.place: str | None = None
        self.numbers: dict[str, int] = {}
        self._thread = threading.get_ident()
        self._executed = 0

    def __enter__(self) -> StatementFault:  # noqa: PYI034  (typing.Self is newer than Python 3.10)
        _faults.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _faults.remove(self)

    def executing(self, place: str) -> None:
        """A statement is about to be executed."""
        if threading.get_ident() != self._thread:
            return
        self._executed += 1
        self.numbers.setdefault(place, self._executed)
        if self._executed == self.number:
            self.place = place
            raise Fault(place)


_faults: list[StatementFault] = []


def _probe(place: str) -> None:
    for fault in _faults:
        fault.executing(place)


@contextmanager
def probes() -> Iterator[None]:
    """A block in which the functions of the package have probes; functions made inside of it keep them."""
    bodies = _bodies()
    changed: list[tuple[FunctionType, CodeType]] = []
    setattr(builtins, _PROBE, _probe)
    for function in _functions():
        if _key(function.__code__) in bodies:
            changed.append((function, function.__code__))
            function.__code__ = bodies[_key(function.__code__)]
    try:
        yield
    finally:
        for function, code in changed:
            function.__code__ = code


def _functions() -> list[FunctionType]:
    """All functions there are; what is frozen is thawed for that, as `gc.get_objects()` leaves it out."""
    frozen = gc.get_freeze_count()
    gc.unfreeze()
    found = [each for each in gc.get_objects() if type(each) is FunctionType]
    if frozen:
        gc.freeze()
    return found


@functools.cache
def _bodies() -> dict[tuple[str, str, int], CodeType]:
    """The bodies with probes, which are made once: that takes seconds."""
    bodies: dict[tuple[str, str, int], CodeType] = {}
    for path in PACKAGE.rglob("*.py"):
        tree = ast.fix_missing_locations(_Prober(path.name).visit(ast.parse(path.read_text(encoding="utf-8"))))
        for code in _codes(compile(tree, str(path), "exec", dont_inherit=True)):
            bodies[_key(code)] = code
    return bodies


def _key(code: CodeType) -> tuple[str, str, int]:
    return code.co_filename, code.co_name, code.co_firstlineno


def _codes(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _codes(constant)


class _Prober(ast.NodeTransformer):
    """Puts a probe before each statement, inside of functions, that can fail."""

    def __init__(self, filename: str) -> None:
        self._filename = filename
        self._function = ""

    def _visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        outer, self._function = self._function, node.name
        self.generic_visit(node)
        self._function = outer
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _visit_function

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        outer, self._function = self._function, ""
        self.generic_visit(node)
        self._function = outer
        return node

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if self._function and isinstance(block, list):
                setattr(node, name, [piece for statement in block for piece in self._with_probe(statement)])
        return node

    def _with_probe(self, statement: ast.stmt) -> list[ast.stmt]:
        if _cannot_fail(statement):
            return [statement]
        text = ast.unparse(statement).partition("\n")[0]
        place = ast.Constant(f"{self._filename} {self._function}: {text} (line {statement.lineno})")
        call = ast.Call(ast.Name(_PROBE, ast.Load()), [place], [])
        return [ast.copy_location(ast.Expr(call), statement), statement]


def _cannot_fail(node: ast.stmt) -> bool:
    if isinstance(node, (ast.Try, ast.Pass, ast.Break, ast.Continue, ast.Global, ast.Nonlocal, ast.FunctionDef)):
        return True
    if isinstance(node, ast.Raise):
        return node.exc is None
    if isinstance(node, (ast.If, ast.While)):
        return _is_plain(node.test)
    if isinstance(node, (ast.Return, ast.Expr)):
        return _is_plain(node.value)
    if isinstance(node, ast.AnnAssign):
        return _is_plain(node.target) and _is_plain(node.value)
    if isinstance(node, ast.Assign):
        places = [each for target in node.targets for each in _unpacked(target, node.value)]
        return all(map(_is_plain, (*places, *_unpacked(node.value, node.value))))
    return False


def _unpacked(node: ast.expr, value: ast.expr) -> list[ast.expr]:
    """The parts of `a, b`, where as many values stand beside it."""
    return node.elts if isinstance(node, ast.Tuple) and isinstance(value, ast.Tuple) else [node]


def _is_plain(node: ast.expr | None) -> bool:
    if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom)):
        return _is_plain(node.value)
    if isinstance(node, ast.Attribute):  # of objects of ours
        if isinstance(node.ctx, ast.Store):
            return _is_plain(node.value)
        return isinstance(node.value, ast.Name) and node.value.id in ("self", "stop", "recorded")
    if isinstance(node, ast.List):
        return all(map(_is_plain, node.elts))
    if isinstance(node, ast.UnaryOp):
        return isinstance(node.op, ast.Not) and _is_plain(node.operand)
    if isinstance(node, ast.IfExp):
        return all(map(_is_plain, (node.test, node.body, node.orelse)))
    if isinstance(node, ast.Compare):
        is_test = all(isinstance(op, (ast.Is, ast.IsNot)) for op in node.ops)
        return is_test and all(map(_is_plain, (node.left, *node.comparators)))
    if isinstance(node, ast.BoolOp):
        return all(map(_is_plain, node.values))
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        return name in _USERS | _UNDOING | _SURE or name.rpartition(".")[2] in _GATES
    return node is None or isinstance(node, (ast.Name, ast.Constant))
