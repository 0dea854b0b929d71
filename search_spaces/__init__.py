"""Families of architectures, one a file; they import `nas.arch`, `nas.space` and `nas.errors` only."""
