"""How an event is processed: inbox, worker, process (load, decide, commit)."""
