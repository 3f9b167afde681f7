"""The cluster: namespaces with roles, deployments with versions, feature flags."""

from examples.demo.world.store import Doc
from examples.demo.world.systems.contract import Refusal, System, nowhere, number, text, version_of

ROLES = frozenset({"view", "edit", "admin"})
MOST_CPU = 64
MOST_REPLICAS = 16


class Cluster(System):
    """A PUT answers what was there before as ``previous``; putting that back restores the old version exactly."""

    def handle(self, method: str, path: list[str], body: Doc) -> tuple[int, Doc]:
        """See ``System.handle``."""
        match [method, *path]:
            case ["PUT", "namespaces", name]:
                return self._create_namespace(name, body)
            case ["GET", "namespaces", name]:
                return 200, self.see("namespace", name)
            case ["DELETE", "namespaces", name]:
                roles = [f"role of {role['user']}" for role in self.store.find("role", namespace=name)]
                return self.take_away("namespace", name, *roles)
            case ["PUT", "namespaces", name, "roles", user]:
                return self._grant(name, user, body)
            case ["GET", "namespaces", name, "roles", user]:
                return 200, self.see("role", f"{name}/{user}")
            case ["DELETE", "namespaces", name, "roles", user]:
                return self.take_away("role", f"{name}/{user}")
            case ["GET", ("deployments" | "flags") as kind, name]:
                return 200, self.see(kind[:-1], name)
            case ["PUT", "deployments", name]:
                return 200, self._replace("deployment", name, _deployment(name, body))
            case ["PUT", "flags", name]:
                spec = {"enabled": body.get("enabled") is True, "rollout": number(body, "rollout", 0, 100)}
                return 200, self._replace("flag", name, spec)
        raise nowhere(method, path)

    def _create_namespace(self, name: str, body: Doc) -> tuple[int, Doc]:
        cpu = body.get("cpu")
        if not isinstance(cpu, int) or cpu > MOST_CPU:
            raise Refusal(422, "quota-exceeded", f"Namespace {name} asks for {cpu} CPUs; the cluster gives {MOST_CPU}.")
        return self.make("namespace", name, {"cpu": cpu, "owner": text(body, "owner")})

    def _grant(self, namespace: str, user: str, body: Doc) -> tuple[int, Doc]:
        self.see("namespace", namespace)
        role = text(body, "role")
        if role not in ROLES:
            raise Refusal(422, "unknown-role", f"There is no role {role}: there are {', '.join(sorted(ROLES))}.")
        return self.make("role", f"{namespace}/{user}", {"namespace": namespace, "user": user, "role": role})

    def _replace(self, kind: str, name: str, spec: Doc) -> Doc:
        was = self.see(kind, name)
        changed = {"id": name, "spec": spec, "version": version_of(spec)}
        self.store.put(kind, name, changed)
        return {**changed, "previous": was["spec"]}


def _deployment(name: str, body: Doc) -> Doc:
    replicas = body.get("replicas")
    if isinstance(replicas, int) and replicas > MOST_REPLICAS:
        raise Refusal(422, "no-capacity", f"{replicas} replicas of {name}: there is room for {MOST_REPLICAS}.")
    return {"image": text(body, "image"), "replicas": number(body, "replicas", 0, MOST_REPLICAS)}
