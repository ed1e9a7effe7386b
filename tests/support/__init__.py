"""What tests stand on: real servers of their own, free ports, and waiting for events."""
