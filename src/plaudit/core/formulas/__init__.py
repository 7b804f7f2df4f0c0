"""Formulas: the language of computed amounts, conditions and texts. Its syntax follows ZEN expressions.

    source ──grammar──► tree of nodes ──compiling──► closures ──evaluation──► a value, or FormulaError

Everything is bounded. Length, size, nesting, ranges, patterns and function names are checked on saving. Lists, strings
and steps are checked during evaluation. docs/reference/formulas.md describes the language.
"""
