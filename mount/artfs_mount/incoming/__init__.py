"""The writable part of the mount: drafts over a working directory, and how they become versions.

Nothing here knows FUSE or trio. Everything that touches the node table or the drafts runs on one thread (the mount's
event loop); reading and writing file content, hashing and committing may run on worker threads and say so.
"""
