"""One build, and a crash at every point of its way: before and after each SQL statement, commit and broker call.

`fuse.py` counts the points and ends the process at one of them. `roles.py` is the API and the orchestrator, as their
processes are made, within this one; `player.py` plays the client, the runner and the passing of time, and knows which
build it is. `rehearsal.py` does it all in forked children: one that dies, and one that goes on with what is left, which
`judge.py` looks at.
"""
