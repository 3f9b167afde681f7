"""The outside world of the demo: directory, billing, mail and cluster of a company that never heard of Recourse.

A separate HTTP service with its own SQLite database, standard library only. ``python -m examples.demo.world``.
"""
