"""Tests of the command line: its parts in one process, against files, git, sockets and HTTP that are real."""
