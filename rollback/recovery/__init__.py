"""How it is taken back: plan, engine, executors, sweeper, hand-over."""
