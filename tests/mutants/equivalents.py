"""Mutants that no test can tell from the original, each with the reason: (module, the line, what becomes of it)."""

EQUIVALENT: dict[tuple[str, str, str], str] = {}
