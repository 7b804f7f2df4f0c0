"""Formulas: the language that amounts, conditions and texts are written in. Its syntax follows ZEN expressions.

    source ──grammar──► tree of nodes ──compiling──► closures ──evaluation──► a value, or FormulaError

Everything has a bound. What can be checked on saving is: length, size, nesting, ranges, patterns, names of functions.
The rest (lists, texts, steps) is counted while a formula is evaluated. docs/reference/formulas.md has the language.
"""
