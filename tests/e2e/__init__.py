"""The whole system, started as a user starts it and watched from outside: its terminal, its ports, its processes."""
