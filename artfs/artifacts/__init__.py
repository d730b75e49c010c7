"""What can be done with versions."""
