"""Compiles the programme from the documents that can be compiled. The others are out of force, each with its reason.

Documents are checked when they are saved. A later version may be stricter, for example about the size of a pattern. A
stored document that fails then must not stop the rest of the organisation's programme.
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
from .field_reads import OWN_PARTS
from .kinds import KINDS
from .metric import Metric
from .rule import Rule
from .webhook import Webhook

Named = tuple[str, str]  # the kind and the id of a document


class InForce(Struct, frozen=True):
    """The compiled programme, the documents that could be read, and the reasons by document that is `out` of force.

    `readable` includes documents that are out of force, because explanations of older events name them.
    """

    program: Program
    readable: Sequence[CompileInput]
    out: Mapping[Named, str]


def read_documents(rows: Sequence[tuple[str, str, bytes | str]]) -> tuple[list[CompileInput], dict[Named, str]]:
    """Return stored documents as structs, and the reasons why the others cannot be read."""
    readable: list[CompileInput] = []
    out: dict[Named, str] = {}
    for kind, document_id, doc in rows:
        try:
            readable.append(CompileInput(kind, document_id, msgspec.json.decode(doc, type=KINDS[kind].type)))
        except (msgspec.MsgspecError, KeyError, ValueError) as problem:
            out[kind, document_id] = f"cannot be read: {problem}"
    return readable, out


def compile_in_force(org_id: UUID, version: int, rows: Sequence[tuple[str, str, bytes | str]]) -> InForce:
    """Compile a programme from all documents that can be compiled. No document's content makes this raise."""
    readable, out = read_documents(rows)
    documents, reasons = _compilable(
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
        # Find the failing documents by compiling each separately. This is slow, but rare.
        documents, reasons = _compilable(org_id, documents)
        out |= reasons
    try:
        return InForce(compile_program(org_id, version, documents), readable, out)
    except Exception as problem:
        # Each document compiles alone, but not all together. Put all out of force, so that events are still decided.
        out |= {(document.kind, document.id): _reason(problem) for document in documents}
        return InForce(compile_program(org_id, version, []), readable, out)


def _compilable(org_id: UUID, documents: Sequence[CompileInput]) -> tuple[list[CompileInput], dict[Named, str]]:
    """Return the documents that compile, reduced forms of those that compile in part, and the reasons of all others."""
    compilable: list[CompileInput] = []
    out: dict[Named, str] = {}
    for document in documents:
        try:
            _try(org_id, document, documents)
        except Exception as problem:
            out[document.kind, document.id] = _reason(problem)
            reduced = _reduced(document)
            compilable += [] if reduced is None else [reduced]
        else:
            compilable.append(document)
    return compilable, out


def _try(org_id: UUID, compile_input: CompileInput, documents: Sequence[CompileInput]) -> None:
    if isinstance(compile_input.document, Webhook):
        compile_conditions(compile_input.document.conditions)
    elif isinstance(compile_input.document, Rule):  # a rule only compiles together with its campaign
        campaign_id = compile_input.document.campaign_id
        campaign = [document for document in documents if document.kind == "campaign" and document.id == campaign_id]
        bare_campaign = [
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
        compile_program(org_id, 0, [*bare_campaign, compile_input])
    else:
        compile_program(org_id, 0, [compile_input])


def _reduced(compile_input: CompileInput) -> CompileInput | None:
    """Return the part of a document that must stay in force, or None."""
    if isinstance(
        compile_input.document, Rule
    ):  # without it, the steps of the rules after it would change their numbers
        return CompileInput(
            compile_input.kind, compile_input.id, structs.replace(compile_input.document, enabled=False)
        )
    if isinstance(compile_input.document, Metric):  # only its multipliers can fail, and members have balances of it
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
