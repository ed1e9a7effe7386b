"""What the build server decides, as pure functions and values.

Nothing in here reads a clock, a database or a broker, and nothing but the standard library is imported:
the services bring the rows and the time, the domain says what follows from them.
"""
