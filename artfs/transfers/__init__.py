"""What is owed: bytes that lie somewhere already, and have to be made durable there, or be brought elsewhere.

pending     what is owed, as values, and how it comes to be owed
worker      works on it: rows of `pending`, and small contents (`syncing`)
delivery    what is done for one row: content by content (`arrival`), from a landing area (`landing`) or a store
locks       who is at work on what; `retrying` says when what failed is tried again
"""
