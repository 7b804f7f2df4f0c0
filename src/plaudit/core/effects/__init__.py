"""Effects, one file each: settings, checks, what is loaded for it, how it is compiled, applied and previewed."""
