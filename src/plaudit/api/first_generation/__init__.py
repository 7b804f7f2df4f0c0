"""The first generation of the members' calls."""
