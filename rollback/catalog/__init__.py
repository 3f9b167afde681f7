"""What agents may do: systems, workflows, versions, actions, runbooks."""
