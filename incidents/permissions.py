"""Who may do what with incidents, for pages and API alike."""

import rules

from rollback.ownership.models import Role
from rollback.permissions import is_lead, role

rules.add_perm("incident.lead", is_lead)
rules.add_perm("incident.note", is_lead | role(Role.OWNER, Role.MANAGER))
rules.add_perm("incident.declare", is_lead | role(Role.OWNER, Role.MANAGER))
