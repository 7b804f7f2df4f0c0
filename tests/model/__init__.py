"""A model of our own: slow, obvious, written from the guides (docs/guides) and not from the code, to compare the core with.

It takes the documents as users write them and the whole history of a few members, and says what everything should be.
`world` is the model, a module each for the mechanics; `core` runs the same history through the core; `comparing` looks
at both. `programmes` and `histories` make them up. The model imports nothing of the product.
"""
