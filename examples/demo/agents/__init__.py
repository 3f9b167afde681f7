"""The demo's agents: each is a process of its own that works in the outside world and reports to Recourse.

No language model is needed for that: what an agent decides is played from its run's number, the same every time.
"""
