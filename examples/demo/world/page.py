"""The page that shows the world: what is there, what was there at the start, what is gone, who asked for what."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from examples.demo.world.store import Count, Doc, Store, Thing

Column = tuple[str, Callable[[Doc], object]]


@dataclass(frozen=True)
class Table:
    """One kind of things: its title and columns. ``newest`` shows only the last so many."""

    kind: str
    title: str
    columns: Sequence[Column]
    newest: int = 40


def _field(name: str) -> Callable[[Doc], object]:
    return lambda doc: doc.get(name, "")


def _spec(name: str) -> Callable[[Doc], object]:
    return lambda doc: doc["spec"][name]


def _columns(**labels: str) -> list[Column]:
    return [(label, _field(name)) for name, label in labels.items()]


SECTIONS: dict[str, list[Table]] = {
    "Directory": [
        Table("user", "Users", _columns(id="Id", name="Name", email="Address", title="Title")),
        Table("membership", "Memberships", _columns(group="Group", user="User")),
        Table("device", "Devices", _columns(id="Id", user="User", model="Model")),
        Table("group", "Groups", _columns(id="Group", name="Name")),
    ],
    "Billing": [
        Table(
            "refund", "Refunds", _columns(id="Id", charge="Charge", account="Account", amount="EUR", status="Status")
        ),
        Table("account", "Accounts", _columns(id="Id", customer="Customer", status="Status", balance="Balance EUR")),
        Table("batch", "Batches", _columns(id="Id", name="Name", status="Status")),
        Table("cost_centre", "Cost centres", _columns(id="Code", name="Name")),
        Table("budget", "Budgets", _columns(id="Id", cost_centre="Cost centre", amount="EUR")),
        Table("entry", "Ledger", _columns(id="Id", account="Account", what="What", refund="Refund", amount="EUR"), 12),
    ],
    "Mail": [
        Table("mailbox", "Mailboxes", _columns(address="Address", owner="Owner")),
        Table("alias", "Aliases", _columns(id="Alias", mailbox="Mailbox")),
        Table("subscription", "Subscriptions", _columns(list="List", address="Address")),
        Table("message", "Sent messages (cannot be called back)", _columns(id="Id", to="To", subject="Subject")),
    ],
    "Cluster": [
        Table("namespace", "Namespaces", _columns(id="Name", cpu="CPUs", owner="Owner")),
        Table("role", "Roles", _columns(namespace="Namespace", user="User", role="Role")),
        Table(
            "deployment",
            "Deployments",
            [
                *_columns(id="Name"),
                ("Image", _spec("image")),
                ("Replicas", _spec("replicas")),
                *_columns(version="Version"),
            ],
        ),
        Table(
            "flag",
            "Feature flags",
            [
                *_columns(id="Name"),
                ("On", _spec("enabled")),
                ("Rollout %", _spec("rollout")),
                *_columns(version="Version"),
            ],
        ),
    ],
}


def page(store: Store) -> str:
    """The whole page as HTML; everything from outside is escaped."""
    counts = store.counts()
    sections = "".join(_section(store, name, tables) for name, tables in SECTIONS.items())
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>The outside world</title>
<link rel="stylesheet" href="/world.css">
<script src="/world.js" defer></script>
<noscript><meta http-equiv="refresh" content="3"></noscript>
</head>
<body>
<header>
<h1>The outside world</h1>
<p>A directory, a billing system, a mail system and a cluster that never heard of Recourse.
What agents made is marked <b class="new">new</b>; what was taken away again is <s>struck through</s>.</p>
</header>
<main id="world">
{_summary(counts)}
{sections}
{_requests(store)}
</main>
</body>
</html>"""


def _summary(counts: dict[str, Count]) -> str:
    """Before and after at a glance."""
    tiles = [_tile(table, counts.get(table.kind, Count())) for tables in SECTIONS.values() for table in tables]
    return f'<ul class="tiles" aria-label="Before and after">{"".join(tiles)}</ul>'


def _tile(table: Table, count: Count) -> str:
    state = "more" if count.now > count.start else "less" if count.now < count.start or count.changed else "same"
    words = "as at the start" if state == "same" else f"{count.start} at the start"
    words += f", {count.changed} changed" if count.changed else ""
    words += f", {count.taken_back} made and taken back" if count.taken_back else ""
    return f'<li class="{state}"><b>{count.now}</b> {escape(table.title.split(" (")[0])}<small>{words}</small></li>'


def _section(store: Store, name: str, tables: Sequence[Table]) -> str:
    inside = "".join(_table(store, table) for table in tables)
    return f'<section><h2>{escape(name)}</h2><div class="tables">{inside}</div></section>'


def _table(store: Store, table: Table) -> str:
    things = store.history(table.kind)
    present = [thing for thing in things if thing.removed_at is None]
    gone = [thing for thing in things if thing.removed_at is not None]
    left_out = max(0, len(present) - table.newest)
    rows = "".join(_row(thing, table.columns) for thing in [*present[left_out:], *gone])
    head = "".join(f'<th scope="col">{escape(label)}</th>' for label, _ in table.columns)
    more = f"<p>{left_out} older ones are not shown.</p>" if left_out else ""
    nothing = f'<tr><td colspan="{len(table.columns) + 1}">Nothing here.</td></tr>'
    return (
        f'<article><h3>{escape(table.title)}</h3>{more}<div class="scroll" tabindex="0"><table>'
        f'<thead><tr><th scope="col">When</th>{head}</tr></thead>'
        f"<tbody>{rows or nothing}</tbody></table></div></article>"
    )


def _row(thing: Thing, columns: Sequence[Column]) -> str:
    cells = [escape(str(read(thing.doc))) for _, read in columns]
    kind, when = _when(thing)
    if kind == "gone":
        cells = [f"<s>{cell}</s>" for cell in cells]
    return f'<tr class="{kind}"><td>{when}</td>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'


def _when(thing: Thing) -> tuple[str, str]:
    """What became of it, as a class and in words."""
    if thing.removed_at is not None:
        return "gone", f"gone {_ago(thing.removed_at)}"
    if thing.original is None:
        return "made", f'<b class="new">new</b> {_ago(thing.made_at)}'
    if thing.original != thing.doc and thing.changed_at is not None:
        return "changed", f"changed {_ago(thing.changed_at)}"
    return "same", "as at the start" if thing.changed_at is None else f"restored {_ago(thing.changed_at)}"


def _requests(store: Store) -> str:
    rows = "".join(
        f"<tr><td>{_ago(row['at'])}</td><td>{escape(row['system'])}</td><td><code>{escape(row['method'])} "
        f"{escape(row['path'])}</code></td><td>{row['status']}</td><td><code>{escape(row['key'][:18])}</code></td></tr>"
        for row in store.requests()
    )
    keys = "".join(
        f"<tr><td>{_ago(row['at'])}</td><td><code>{escape(row['key'])}</code></td>"
        f"<td><code>{escape(row['system'])} {escape(row['asked'])}</code></td>"
        f"<td>once</td><td>{row['repeats']}</td></tr>"
        for row in store.applied()
    )
    return f"""<section><h2>Who asked for what</h2><div class="tables">
<article><h3>Last requests</h3><div class="scroll" tabindex="0"><table><thead><tr><th scope="col">When</th>
<th scope="col">System</th><th scope="col">Request</th><th scope="col">Status</th><th scope="col">Key</th></tr></thead>
<tbody>{rows}</tbody></table></div></article>
<article><h3>Idempotency keys</h3><p>A write that comes again under its key is answered again, not done again.</p>
<div class="scroll" tabindex="0"><table><thead><tr><th scope="col">When</th><th scope="col">Key</th>
<th scope="col">Request</th><th scope="col">Done</th><th scope="col">Answered again</th></tr></thead>
<tbody>{keys}</tbody></table></div></article></div></section>"""


def _ago(at: float) -> str:
    seconds = max(0, round(time.time() - at))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"
