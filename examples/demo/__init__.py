"""The demo: an outside world, agents that work in it, and what is needed to start both."""
