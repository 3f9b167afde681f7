"""The directory: users, groups, memberships, devices."""

from examples.demo.world.store import Doc
from examples.demo.world.systems.contract import Refusal, System, nowhere, text, version_of


class Directory(System):
    """Users get an id from the directory; memberships are named by group and user."""

    def handle(self, method: str, path: list[str], body: Doc) -> tuple[int, Doc]:
        """See ``System.handle``."""
        match [method, *path]:
            case ["POST", "users"]:
                return self._create_user(body)
            case ["GET", "users", id]:
                return 200, self.see("user", id)
            case ["PUT", "users", id]:
                return 200, self._change_user(id, body)
            case ["DELETE", "users", id]:
                return self.take_away("user", id, *self._hanging_on(id))
            case ["GET", "groups", group]:
                members = [m["user"] for m in self.store.find("membership", group=group)]
                return 200, {**self.see("group", group), "members": members}
            case ["PUT", "groups", group, "members", user]:
                return self._join(group, user)
            case ["GET", "groups", group, "members", user]:
                return 200, self.see("membership", f"{group}/{user}")
            case ["DELETE", "groups", group, "members", user]:
                return self.take_away("membership", f"{group}/{user}")
            case ["POST", "devices"]:
                device = {"user": self.see("user", text(body, "user"))["id"], "model": text(body, "model")}
                return self.make("device", self.store.new_id("device", "dev"), device)
            case ["GET", "devices", id]:
                return 200, self.see("device", id)
            case ["DELETE", "devices", id]:
                return self.take_away("device", id)
        raise nowhere(method, path)

    def _create_user(self, body: Doc) -> tuple[int, Doc]:
        email = text(body, "email", lambda value: value.count("@") == 1)
        if self.store.find("user", email=email):
            raise Refusal(409, "email-taken", f"There is a user with the address {email} already.")
        spec = {
            "name": text(body, "name"),
            "email": email,
            "title": text(body, "title"),
            "admin": body.get("admin") is True,
        }
        return self.make("user", self.store.new_id("user", "u"), {**spec, "version": version_of(spec)})

    def _change_user(self, id: str, body: Doc) -> Doc:
        was = self.see("user", id)
        spec = {name: body.get(name, was[name]) for name in ("name", "email", "title", "admin")}
        previous = {name: was[name] for name in spec}
        changed = self.store.put("user", id, {"id": id, **spec, "version": version_of(spec)})
        return {**changed, "previous": previous}

    def _join(self, group: str, user: str) -> tuple[int, Doc]:
        self.see("group", group)
        self.see("user", user)
        known = self.store.get("membership", f"{group}/{user}")
        return (200, known) if known else self.make("membership", f"{group}/{user}", {"group": group, "user": user})

    def _hanging_on(self, user: str) -> list[str]:
        groups = [f"membership of {m['group']}" for m in self.store.find("membership", user=user)]
        return groups + [f"device {device['id']}" for device in self.store.find("device", user=user)]
