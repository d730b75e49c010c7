"""The artfs daemon: it shows a catalog as a mounted tree and turns what is written into `/incoming` into versions."""
