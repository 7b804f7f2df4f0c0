"""The mechanics: one folder each, all alike. Pure, as the core is; nothing outside a folder names what is in it."""
