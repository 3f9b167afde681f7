"""What the world holds before any agent comes. The same on every machine."""

import random
from decimal import Decimal

from examples.demo.world.store import Doc, Store
from examples.demo.world.systems.contract import version_of

USERS = [
    ("Marta Kowalczyk", "Head of people"),
    ("Tunde Adeyemi", "Finance lead"),
    ("Ingrid Solheim", "Site reliability"),
    ("Rafael Ortega", "Support"),
]
GROUPS = {
    "staff": "Everybody",
    "engineering": "Engineering",
    "design": "Design",
    "sales": "Sales",
    "vpn": "Remote access",
}
CUSTOMERS = [
    "Aurora Bakery",
    "Baobab Books",
    "Cedar Clinic",
    "Delta Bikes",
    "Ember Coffee",
    "Fjord Sails",
    "Ginkgo Labs",
]
CLOSED = "acc-07"
DEPLOYMENTS: dict[str, Doc] = {
    "checkout": {"image": "checkout:2.8.1", "replicas": 6},
    "search": {"image": "search:5.1.0", "replicas": 4},
    "ledger": {"image": "ledger:1.19.4", "replicas": 3},
    "notifications": {"image": "notifications:3.0.2", "replicas": 2},
    "invoices": {"image": "invoices:4.4.0", "replicas": 2},
    "reports": {"image": "reports:1.2.7", "replicas": 1},
    "media": {"image": "media:0.9.3", "replicas": 3},
}
FLAGS: dict[str, Doc] = {
    "new-checkout": {"enabled": False, "rollout": 0},
    "fast-search": {"enabled": True, "rollout": 25},
}
CHARGES = 84


def seed(store: Store) -> None:
    """Fill an empty world; a world that holds something is left as it is."""
    with store.transaction():
        if not store.is_empty():
            return
        _people(store)
        _money(store)
        for name, spec in DEPLOYMENTS.items():
            store.add("deployment", name, _versioned(spec), seeded=True)
        for name, spec in FLAGS.items():
            store.add("flag", name, _versioned(spec), seeded=True)
        for name, owner in (("platform", "Ingrid Solheim"), ("payments", "Tunde Adeyemi")):
            store.add("namespace", name, {"cpu": 32, "owner": owner}, seeded=True)


def _people(store: Store) -> None:
    for slug, name in GROUPS.items():
        store.add("group", slug, {"name": name}, seeded=True)
    store.add("list", "announcements", {"name": "Announcements"}, seeded=True)
    for name, title in USERS:
        email = name.lower().replace(" ", ".") + "@example.org"
        spec = {"name": name, "email": email, "title": title, "admin": False}
        user = store.add("user", store.new_id("user", "u"), {**spec, "version": version_of(spec)}, seeded=True)
        store.add("membership", f"staff/{user['id']}", {"group": "staff", "user": user["id"]}, seeded=True)
        store.add("mailbox", email, {"owner": user["id"], "address": email}, seeded=True)


def _money(store: Store) -> None:
    """Accounts with what they paid: most charges are small, every sixth is more than 500."""
    amounts = random.Random(8123)
    paid: dict[str, Decimal] = {}
    for number in range(1, CHARGES + 1):
        account = f"acc-{(number - 1) % len(CUSTOMERS) + 1:02d}"
        cents = amounts.randrange(52_000, 190_000) if number % 6 == 0 else amounts.randrange(900, 24_000)
        amount = (Decimal(cents) / 100).quantize(Decimal("0.01"))
        paid[account] = paid.get(account, Decimal(0)) + amount
        charge = {"account": account, "amount": str(amount), "currency": "EUR"}
        store.add("charge", f"ch-{number:04d}", charge, seeded=True)
        entry = {"account": account, "refund": "", "what": "charge", "amount": str(amount)}
        store.add("entry", store.new_id("entry", "le"), entry, seeded=True)
    for customer, (id, balance) in zip(CUSTOMERS, sorted(paid.items()), strict=True):
        status = "closed" if id == CLOSED else "open"
        store.add("account", id, {"customer": customer, "status": status, "balance": str(balance)}, seeded=True)


def _versioned(spec: Doc) -> Doc:
    return {"spec": spec, "version": version_of(spec)}
