"""Effects, one file each: settings, checks, the parts loaded for it, how it is compiled, applied and previewed."""
