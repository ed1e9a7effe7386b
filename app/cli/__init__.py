"""The `buildserver` command: a REST client with a good terminal manner, and `up`, which starts the whole system.

It knows the server by its REST contract alone and may import neither models nor services; of the domain it uses
the words, the limits and the checks. `up` starts the other programs as processes and never imports them.
"""
