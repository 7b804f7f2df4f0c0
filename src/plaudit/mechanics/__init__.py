"""The mechanics: one folder each, with the same modules. They are as pure as the core; see `base`."""
