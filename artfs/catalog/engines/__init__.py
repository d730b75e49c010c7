"""The databases that a catalog can be in, one module each; `url` says which one a URL means."""
