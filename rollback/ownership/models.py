"""People, teams, what it means to be owned, and the tokens that act for people and agents."""

from typing import ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.db.models.functions import Lower
from rest_framework_api_key.models import AbstractAPIKey

from rollback.audit.actors import Actor, ActorKind
from rollback.audit.ids import new_id


class Team(models.Model):
    """People who own things together; approvals can be asked of a team."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=120)

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """What a person may do beyond what they own; see ``rollback/permissions.py``."""

    VIEWER = "viewer", "Viewer"
    OWNER = "owner", "Owner"
    LEAD = "incident_lead", "Incident lead"
    MANAGER = "manager", "Manager"
    ADMIN = "admin", "Administrator"


class UserManager(BaseUserManager["User"]):
    """Creates people; an e-mail address is the name they sign in with."""

    def create_user(self, email: str, password: str | None = None, **fields: object) -> "User":
        """A person; without a password they cannot sign in with one."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: object) -> "User":
        """An administrator who may also open ``/admin``."""
        fields = {"role": Role.ADMIN, "is_staff": True, "is_superuser": True, "name": email, **fields}
        return self.create_user(email, password, **fields)


class User(AbstractBaseUser, PermissionsMixin):
    """A person. Signs in with their e-mail address; has one role and at most one team."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    email = models.EmailField(unique=True)
    name = models.CharField(max_length=120)
    role = models.CharField(max_length=20, choices=Role, default=Role.OWNER)
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="members")
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]
    objects = UserManager()

    class Meta:
        # Two addresses that differ in case only would be two people who are one.
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_any_case")]

    def __str__(self) -> str:
        return self.name

    @property
    def initials(self) -> str:
        """One or two letters for the owner chip."""
        words = self.name.split()
        return "".join(word[0] for word in (words[0], words[-1]) if len(words) > 1 or word is words[0])[:2].upper()

    def actor(self) -> Actor:
        """This person, as the history names them."""
        return Actor(ActorKind.PERSON, str(self.pk), self.name)


class Owned(models.Model):
    """What has one accountable person, a backup and a team."""

    owner = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    backup = models.ForeignKey(User, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    team = models.ForeignKey(Team, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        abstract = True

    @property
    def active_owner(self) -> User | None:
        """The owner, unless they have left: then the thing counts as unowned."""
        return self.owner if self.owner is not None and self.owner.is_active else None

    @property
    def answerable(self) -> User | None:
        """Who answers for it now: the owner, or the backup when the owner has left."""
        if self.active_owner is not None:
            return self.active_owner
        return self.backup if self.backup is not None and self.backup.is_active else None


class AgentToken(AbstractAPIKey):
    """An agent's token, hashed at rest. It can report and ask, for its workflows, and nothing else."""

    workflows: "models.ManyToManyField[models.Model, models.Model]" = models.ManyToManyField(
        "rollback.Workflow", related_name="agent_tokens"
    )

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "agent token"
        verbose_name_plural = "agent tokens"

    def actor(self) -> Actor:
        """This agent, as the history names it."""
        return Actor(ActorKind.AGENT, str(self.pk).split(".")[0], self.name)


class PersonalToken(AbstractAPIKey):
    """A token that acts with the rights of one person, hashed at rest."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="personal_tokens")

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "personal token"
        verbose_name_plural = "personal tokens"
