"""The API served by waitress inside gunicorn's workers: who is slow, silent or gone costs a connection and no thread.

gunicorn makes the processes, waitress reads requests and sends answers. Ours is what joins them (`worker.py`), how long
a client is waited for (`channel.py`), and what is refused, and how (`requests.py`).
"""
