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
from .looking import OWN_PARTS
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
    documents, reasons = _sound(
        org_id, [compile_input for compile_input in readable if isinstance(compile_input.document, Webhook)]
    )
    out |= reasons
    documents = [
        *(compile_input for compile_input in readable if not isinstance(compile_input.document, Webhook)),
        *documents,
    ]
    try:
        return InForce(compile_program(org_id, version, documents), readable, out)
    except Exception:
        # Rare, so only now is each compiled separately.
        documents, reasons = _sound(org_id, documents)
        out |= reasons
    try:
        return InForce(compile_program(org_id, version, documents), readable, out)
    except Exception as problem:
        # Each compiles alone, but not together: nothing is in force, or no other events would be decided either.
        out |= {(document.kind, document.id): _reason(problem) for document in documents}
        return InForce(compile_program(org_id, version, []), readable, out)


def _sound(org_id: UUID, documents: Sequence[CompileInput]) -> tuple[list[CompileInput], dict[Named, str]]:
    """Return the documents that compile, those that do in part, and why the others do not."""
    found: list[CompileInput] = []
    out: dict[Named, str] = {}
    for document in documents:
        try:
            _try(org_id, document, documents)
        except Exception as problem:
            out[document.kind, document.id] = _reason(problem)
            kept = _what_is_left(document)
            found += [] if kept is None else [kept]
        else:
            found.append(document)
    return found, out


def _try(org_id: UUID, compile_input: CompileInput, documents: Sequence[CompileInput]) -> None:
    if isinstance(compile_input.document, Webhook):
        compile_conditions(compile_input.document.conditions)
    elif isinstance(compile_input.document, Rule):  # it is compiled with its campaign only
        campaign_id = compile_input.document.campaign_id
        campaign = [document for document in documents if document.kind == "campaign" and document.id == campaign_id]
        bare = [
            CompileInput(
                "campaign",
                item.id,
                structs.replace(
                    item.document,
                    triggers=[],
                    steps=[],
                    effects=[],
                    notification=None,
                    recurrence=None,
                    **dict.fromkeys(OWN_PARTS),
                ),
            )
            for item in campaign
        ]
        compile_program(org_id, 0, [*bare, compile_input])
    else:
        compile_program(org_id, 0, [compile_input])


def _what_is_left(compile_input: CompileInput) -> CompileInput | None:
    """Return what must stay of a document that is out of force."""
    if isinstance(
        compile_input.document, Rule
    ):  # its place: it numbers the rules after it, and they name what they did by that
        return CompileInput(
            compile_input.kind, compile_input.id, structs.replace(compile_input.document, enabled=False)
        )
    if isinstance(compile_input.document, Metric):  # its balances: only the multipliers can be wrong
        return CompileInput(
            compile_input.kind, compile_input.id, structs.replace(compile_input.document, multipliers=[])
        )
    return None


def _reason(problem: Exception) -> str:
    if isinstance(problem, ConditionError):
        return f"{problem.field} {problem}"
    if isinstance(problem, FormulaError):
        return f"a formula is not valid: {problem}"
    if isinstance(problem, PlauditError) and problem.fields:
        return "; ".join(f"{field.field} {field.message}" for field in problem.fields)
    return f"cannot be compiled ({type(problem).__name__})"
