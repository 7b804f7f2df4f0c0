"""The programme of the documents that can be compiled: one that cannot is out of force alone, with the reason.

Documents are checked on saving, by the rules of that day. A later version may know better (a formula without a bound, a
pattern that is too large): then what was saved must not keep the rest of the organisation's programme from running.
"""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec
from msgspec import Struct, structs

from plaudit.core.conditions import ConditionError, compile_conditions
from plaudit.core.formulas.limits import FormulaError
from plaudit.core.program import Program
from plaudit.errors import PlauditError

from .compile import CompileInput, compile_program
from .kinds import KINDS
from .metric import Metric
from .rule import Rule
from .webhook import Webhook

Named = tuple[str, str]  # the kind and the id of a document


class InForce(Struct, frozen=True):
    """The compiled programme, the documents that could be read, and what is out of force, with the reason.

    `readable` has those that are out of force, too: explanations of older events name them.
    """

    program: Program
    readable: Sequence[CompileInput]
    out: Mapping[Named, str]


def read_documents(rows: Sequence[tuple[str, str, bytes | str]]) -> tuple[list[CompileInput], dict[Named, str]]:
    """Return stored documents as structs, and why the others cannot be read."""
    found: list[CompileInput] = []
    out: dict[Named, str] = {}
    for kind, document_id, doc in rows:
        try:
            found.append(CompileInput(kind, document_id, msgspec.json.decode(doc, type=KINDS[kind].type)))
        except (msgspec.MsgspecError, KeyError, ValueError) as problem:
            out[kind, document_id] = f"cannot be read: {problem}"
    return found, out


def compile_in_force(org_id: UUID, version: int, rows: Sequence[tuple[str, str, bytes | str]]) -> InForce:
    """Return the programme of all documents that can be compiled. Never raises for what is in a document."""
    readable, out = read_documents(rows)
    documents, reasons = _sound(org_id, [one for one in readable if isinstance(one.document, Webhook)])
    out |= reasons
    documents = [*(one for one in readable if not isinstance(one.document, Webhook)), *documents]
    try:
        return InForce(compile_program(org_id, version, documents), readable, out)
    except Exception:
        # Rare, so only now is each looked at by itself.
        documents, reasons = _sound(org_id, documents)
        out |= reasons
    try:
        return InForce(compile_program(org_id, version, documents), readable, out)
    except Exception as problem:
        # Each is right by itself, and together they are not: nothing is in force rather than nobody else's events.
        out |= {(one.kind, one.id): _reason(problem) for one in documents}
        return InForce(compile_program(org_id, version, []), readable, out)


def _sound(org_id: UUID, documents: Sequence[CompileInput]) -> tuple[list[CompileInput], dict[Named, str]]:
    """Return the documents that compile, those that do in part, and why the others do not."""
    found: list[CompileInput] = []
    out: dict[Named, str] = {}
    for one in documents:
        try:
            _try(org_id, one, documents)
        except Exception as problem:
            out[one.kind, one.id] = _reason(problem)
            kept = _what_is_left(one)
            found += [] if kept is None else [kept]
        else:
            found.append(one)
    return found, out


def _try(org_id: UUID, one: CompileInput, documents: Sequence[CompileInput]) -> None:
    if isinstance(one.document, Webhook):
        compile_conditions(one.document.conditions)
    elif isinstance(one.document, Rule):  # it is compiled with its campaign only
        campaign_id = one.document.campaign_id
        campaign = [each for each in documents if each.kind == "campaign" and each.id == campaign_id]
        bare = [
            CompileInput(
                "campaign",
                each.id,
                structs.replace(
                    each.document,
                    triggers=[],
                    steps=[],
                    effects=[],
                    notification=None,
                    recurrence=None,
                    streak=None,
                    competition=None,
                ),
            )
            for each in campaign
        ]
        compile_program(org_id, 0, [*bare, one])
    else:
        compile_program(org_id, 0, [one])


def _what_is_left(one: CompileInput) -> CompileInput | None:
    """Return what must stay of a document that is out of force."""
    if isinstance(one.document, Rule):  # its place: it numbers the rules after it, and they name what they did by that
        return CompileInput(one.kind, one.id, structs.replace(one.document, enabled=False))
    if isinstance(one.document, Metric):  # its balances: only the multipliers can be wrong
        return CompileInput(one.kind, one.id, structs.replace(one.document, multipliers=[]))
    return None


def _reason(problem: Exception) -> str:
    if isinstance(problem, ConditionError):
        return f"{problem.field} {problem}"
    if isinstance(problem, FormulaError):
        return f"a formula is not valid: {problem}"
    if isinstance(problem, PlauditError) and problem.fields:
        return "; ".join(f"{one.field} {one.message}" for one in problem.fields)
    return f"cannot be compiled ({type(problem).__name__})"
