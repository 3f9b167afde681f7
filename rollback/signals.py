"""What the rollback app announces. Sent inside the transaction that made it true.

Whoever listens writes in the same transaction, so that a crash cannot separate the two.
"""

from django.dispatch import Signal

step_proposed = Signal()
"""``step``: one that an agent wants to take. Whoever asks for an approval moves it to awaiting it."""

step_result_late = Signal()
"""``step``: one whose result has come after its run had ended; until then it was in doubt, or not known at all."""

run_ended = Signal()
"""``run``: a run that has just failed, halted, been lost or succeeded."""

rollback_moved = Signal()
"""``rollback``: a rollback whose state has just changed."""

compensation_handed_over = Signal()
"""``compensation``: one that software could not finish and that a person has now."""

approval_concluded = Signal()
"""``approval``, ``actor``: a request for a yes that has just been approved, refused, expired or withdrawn."""
