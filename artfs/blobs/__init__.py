"""Reading what lies in stores: every byte that leaves here was compared with its digest.

opener    a blob by its digest: the way in for the library, `artfs://` and the mount
places    where a blob's bytes should be, best first; what failed lately goes last, and is told
reader    one open blob: memory, then the disk cache, then the best place
pieces    the lists that let a small read of a large blob be verified without its block
memory    verified blocks, pieces and lists of all readers of a process; one flight for each
disk      the same on disk, for places that are not on this machine; shared by all processes of a home
window    the cursor of whoever reads: what it will want next
file      a blob as a file object
"""
