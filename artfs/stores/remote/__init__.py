"""Stores elsewhere than in a directory of this machine."""
