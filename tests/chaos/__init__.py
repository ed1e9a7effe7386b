"""Random builds on a real installation in a storm of faults, and a judge that reads what the steps themselves wrote.

`plans.py` draws builds and `storm.py` draws faults, both from one seed (`order.py`). `installation.py` runs the
programs, and `faults.py` does to them what the storm says. The steps write a ledger (`ledger.py`), the API tells what
it thinks happened (`history.py`, `watch.py`), and `invariants.py` judges the two. `control.py` puts plain Celery
(`control_app.py`) through the same, `figures.py` counts for both, `report.py` tells it and `sum.py` adds storms up.
"""
