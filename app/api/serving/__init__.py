"""gunicorn's worker as this server needs it: a client that is slow, silent or gone costs a connection and no thread.

`worker.py` waits for clients, `connection.py` is one of them, `arrival.py` says when its request is whole (`framing.py`
where its body ends), `exchange.py` has it answered, `outbox.py` keeps what the client has not taken yet, `refusals.py`
says no before the application is asked. TLS and HTTP/2 are left to a proxy in front.
"""
