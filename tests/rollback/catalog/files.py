"""Files for the tests of the import: good ones, to be made bad in one place."""

PEOPLE = """\
apiVersion: recourse/v1
kind: Team
slug: people-ops
name: People operations
---
apiVersion: recourse/v1
kind: Person
email: hr-lead@example.org
name: Hanna Lead
role: owner
team: people-ops
---
apiVersion: recourse/v1
kind: Person
email: hr-deputy@example.org
name: Dana Deputy
"""

SYSTEM = """\
apiVersion: recourse/v1
kind: System
slug: directory
name: Directory
owner: hr-lead@example.org
backup: hr-deputy@example.org
base_url: https://directory.example.org
"""

RUNBOOK = """\
apiVersion: recourse/v1
kind: Runbook
slug: remove-user-by-hand
title: Remove a user by hand
owner: hr-lead@example.org
steps:
  - title: Open the console
    body: "Go to **Users**."
    evidence: link
"""

WORKFLOW = """\
apiVersion: recourse/v1
kind: Workflow
slug: onboard-employee
name: Onboard a new employee
owner: hr-lead@example.org
backup: hr-deputy@example.org
team: people-ops
risk: high
undeclared_actions: allow
rollback:
  on_run_failure: ask
  on_compensation_failure: hold
  recovery_target: 15m
actions:
  - key: directory.create_user
    system: directory
    reversibility: reversible
    undo_window: 30d
    approval:
      when: "input.admin == true"
      from: [system_owner]
      quorum: 1
      expires: 2h
    compensation:
      executor: http
      request:
        method: DELETE
        path: "/users/${output.id}"
        headers: {Authorization: "Bearer ${secret.directory_token}"}
      succeeds_when: "response.status in [200, 204, 404]"
      timeout: 10s
      retry: {attempts: 5, first: 1s, factor: 2, max: 60s}
    drift_check:
      request: {method: GET, path: "/users/${output.id}"}
      expect: "response.status == 404 || response.json.version == output.version"
    verification:
      request: {method: GET, path: "/users/${output.id}"}
      expect: "response.status == 404"
      within: 30s
    rehearsal: {request: {method: GET, path: "/users/${output.id}"}}
    runbook: remove-user-by-hand
"""

ALL = [("people.yaml", PEOPLE), ("system.yaml", SYSTEM), ("runbook.yaml", RUNBOOK), ("workflow.yaml", WORKFLOW)]
