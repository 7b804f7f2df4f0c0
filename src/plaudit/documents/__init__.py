"""The kinds of configuration: pure types and checks. No I/O here."""
