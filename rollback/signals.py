"""What the rollback app announces. Sent inside the transaction that made it true.

Whoever listens writes in the same transaction, so that a crash cannot separate the two.
"""

from django.dispatch import Signal

run_ended = Signal()
"""``run``: a run that has just failed, halted, been lost or succeeded."""

rollback_moved = Signal()
"""``rollback``: a rollback whose state has just changed."""

compensation_handed_over = Signal()
"""``compensation``: one that software could not finish and that a person has now."""
