"""The way of an event: inbox, worker, process (load, decide, commit)."""
