"""Tests of pure parts: no process, no socket, no database."""
