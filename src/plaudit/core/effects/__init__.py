"""Effects, one module each: its settings, its checks, and how it is compiled, applied and previewed."""
