"""Decides the log again, to explain events, simulate programmes, verify the ledger and roll campaigns back."""
