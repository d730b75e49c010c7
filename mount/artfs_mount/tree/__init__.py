"""The read-only tree of a mount: plain synchronous Python over the catalog, without FUSE.

A path leads through `Directory.lookup` to a `Node`; a number the kernel remembers leads there through `MountTree.node`,
without a table of everything ever listed. One small module for each kind of directory; `tree.py` says which is which.
"""
