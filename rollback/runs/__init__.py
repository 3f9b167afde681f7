"""What agents did: runs, steps, effects, and the undo frozen with each step."""
