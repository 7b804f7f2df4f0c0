"""Process events: store them in the inbox, take them in batches, and load, decide and commit each batch."""
