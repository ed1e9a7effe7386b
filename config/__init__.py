"""Settings and logging, shared by every program of Build Server. Imports nothing of ours."""
