"""PostgreSQL, where all state is stored."""
