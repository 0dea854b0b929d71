"""A run over typed settings: table, supernet, search, trim, fine-tune, export, verify, report."""
