"""Mutation testing: `make mutants` changes one thing in the core or a mechanic, and a test must fail.

`mutate` finds what can be changed, `__main__` runs the tests, `equivalents` lists the changes that nothing can show.
"""
