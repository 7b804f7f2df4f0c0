"""The first generation of the member API."""
