"""Who may do what with incidents, for pages and API alike."""

from rules.permissions import add_perm

from rollback.ownership.models import Role
from rollback.permissions import is_lead, role

add_perm("incident.lead", is_lead)
add_perm("incident.note", is_lead | role(Role.OWNER, Role.MANAGER))
add_perm("incident.declare", is_lead | role(Role.OWNER, Role.MANAGER))
