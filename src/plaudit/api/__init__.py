"""The API: one table of operations, mounted on Litestar and described in OpenAPI."""
