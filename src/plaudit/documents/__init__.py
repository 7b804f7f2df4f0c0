"""The kinds of configuration documents: pure types and checks. No I/O."""
