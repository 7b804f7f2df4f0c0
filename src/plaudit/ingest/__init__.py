"""The entry point of every source of events: `actions.accept_actions` stores them durably. No HTTP (see `api/ingest`)."""
