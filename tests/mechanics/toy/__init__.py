"""A toy mechanic: stamp cards. An event stamps a card; a full card brings its effects, and begins again."""
