"""The entry point of all sources of events: `actions.accept_actions` stores them durably. HTTP is in `api/ingest`."""
