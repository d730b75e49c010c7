"""What is owed: bytes that lie somewhere already, and have to be made durable there, or be brought elsewhere."""
