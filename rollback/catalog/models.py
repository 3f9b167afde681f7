"""What agents may do. A workflow's versions are immutable: a run is pinned to one."""

from django.conf import settings
from django.db import models

from rollback.audit.ids import new_id
from rollback.ownership.models import Owned


class Reversibility(models.TextChoices):
    """How far a step can be taken back."""

    REVERSIBLE = "reversible", "Reversible"
    COMPENSATABLE = "compensatable", "Compensatable"
    IRREVERSIBLE = "irreversible", "Irreversible"


class System(Owned):
    """An outside system that actions touch, and the limits within which Recourse may call it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=200)
    tier = models.PositiveSmallIntegerField(default=3)
    base_url = models.URLField(max_length=500, blank=True)
    allowed_hosts = models.JSONField(default=list, blank=True)  # ["host", "host:port"]; the base URL's is implied
    allow_http = models.BooleanField(default=False)
    allow_private = models.BooleanField(default=False)  # loopback and private addresses; never link-local
    depends_on = models.ManyToManyField("self", symmetrical=False, blank=True, related_name="dependents")
    concurrency = models.PositiveIntegerField(default=8)
    rate = models.CharField(max_length=20, blank=True)  # "10/s"
    signing_secret = models.CharField(max_length=100, blank=True)  # a reference's name, never the secret
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Runbook(Owned):
    """The written steps that a person follows where software cannot."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(unique=True, max_length=80)
    title = models.CharField(max_length=200)
    review_every = models.DurationField(null=True, blank=True)
    current = models.ForeignKey("RunbookVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.title


class RunbookVersion(models.Model):
    """One wording of a runbook. ``steps`` is ``[{title, body, evidence: none|text|link}]``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    runbook = models.ForeignKey(Runbook, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    steps = models.JSONField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["runbook", "number"], name="runbook_version_number")]


class Workflow(Owned):
    """A named multi-step job that agents carry out."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(unique=True, max_length=80)
    name = models.CharField(max_length=200)
    active = models.ForeignKey("WorkflowVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class WorkflowVersion(models.Model):
    """One immutable wording of a workflow; ``document`` is the file as validated, ``source`` as written."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    document = models.JSONField()
    source = models.TextField()
    checksum = models.CharField(max_length=64)  # SHA-256 of the canonical document
    risk = models.CharField(max_length=10, default="medium")
    undeclared_actions = models.CharField(max_length=10, default="refuse")  # allow | refuse
    on_run_failure = models.CharField(max_length=10, default="ask")  # ask | automatic
    on_compensation_failure = models.CharField(max_length=10, default="hold")  # hold | continue
    recovery_target = models.DurationField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    activated_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workflow", "number"], name="workflow_version_number")]

    def __str__(self) -> str:
        return f"{self.workflow} v{self.number}"


class Action(models.Model):
    """One kind of step in a version. The JSON fields have the shapes of ``files.py``."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    version = models.ForeignKey(WorkflowVersion, on_delete=models.CASCADE, related_name="actions")
    key = models.CharField(max_length=120)
    position = models.PositiveIntegerField()
    system = models.ForeignKey(System, on_delete=models.PROTECT, related_name="actions")
    reversibility = models.CharField(max_length=15, choices=Reversibility)
    undo_window = models.DurationField(null=True, blank=True)
    approval = models.JSONField(null=True, blank=True)
    compensation = models.JSONField(null=True, blank=True)
    drift_check = models.JSONField(null=True, blank=True)
    verification = models.JSONField(null=True, blank=True)
    rehearsal = models.JSONField(null=True, blank=True)
    runbook = models.ForeignKey(Runbook, null=True, blank=True, on_delete=models.PROTECT, related_name="actions")

    class Meta:
        # Also serves the look-up of a proposed step's action.
        constraints = [models.UniqueConstraint(fields=["version", "key"], name="action_key")]
        ordering = ["position"]

    def __str__(self) -> str:
        return self.key
