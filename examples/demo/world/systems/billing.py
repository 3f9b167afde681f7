"""Billing: accounts and charges, refunds and their reversals, a ledger that only grows, cost centres and budgets."""

from decimal import Decimal

from examples.demo.world.store import Doc
from examples.demo.world.systems.contract import Refusal, System, money, nowhere, text


class Billing(System):
    """A refund is never deleted: a reversal takes the money back and leaves its trace in the ledger."""

    def handle(self, method: str, path: list[str], body: Doc) -> tuple[int, Doc]:
        """See ``System.handle``."""
        match [method, *path]:
            case ["POST", "refunds"]:
                return self._refund(body)
            case ["GET", "refunds", id]:
                return 200, self.see("refund", id)
            case ["POST", "refunds", id, "reversal"]:
                return self._reverse(id)
            case ["GET", "charges", id]:
                return 200, self._charge(id)
            case ["GET", "accounts", id]:
                return 200, self.see("account", id)
        return self._handle_plans(method, path, body)

    def _handle_plans(self, method: str, path: list[str], body: Doc) -> tuple[int, Doc]:
        match [method, *path]:
            case ["PUT", "cost-centres", code]:
                if not (code.startswith("cc-") and len(code) <= 40):
                    raise Refusal(422, "invalid-code", f"{code} is not a code of a cost centre.")
                return self.make("cost_centre", code, {"name": text(body, "name")})
            case ["GET", "cost-centres", code]:
                return 200, self.see("cost_centre", code)
            case ["DELETE", "cost-centres", code]:
                budgets = [f"budget {budget['id']}" for budget in self.store.find("budget", cost_centre=code)]
                return self.take_away("cost_centre", code, *budgets)
            case ["POST", "budgets"]:
                return self._open_budget(body)
            case ["GET", "budgets", id]:
                return 200, self.see("budget", id)
            case ["DELETE", "budgets", id]:
                return self.take_away("budget", id)
            case ["PUT", "batches", id]:
                return self.make("batch", id, {"name": text(body, "name"), "status": "open"})
            case ["GET", "batches", id]:
                return 200, self.see("batch", id)
            case ["POST", "batches", id, ("close" | "reopen" | "void") as act]:
                return self._move_batch(id, {"close": "closed", "reopen": "open", "void": "void"}[act])
        raise nowhere(method, path)

    def _charge(self, id: str) -> Doc:
        charge = self.see("charge", id)
        paid = [Decimal(r["amount"]) for r in self.store.find("refund", charge=id, status="paid")]
        return {**charge, "refunded": str(sum(paid, Decimal(0)))}

    def _refund(self, body: Doc) -> tuple[int, Doc]:
        charge, amount = self._charge(text(body, "charge")), money(body)
        if self.see("account", charge["account"])["status"] != "open":
            raise Refusal(422, "account-closed", f"Account {charge['account']} is closed: it takes no refunds.")
        if amount > Decimal(charge["amount"]) - Decimal(charge["refunded"]):
            raise Refusal(422, "too-much", f"{amount} is more than is left of charge {charge['id']}.")
        refund = {
            "charge": charge["id"],
            "account": charge["account"],
            "amount": str(amount),
            "currency": charge["currency"],
            "reason": text(body, "reason"),
            "status": "paid",
        }
        status, made = self.make("refund", self.store.new_id("refund", "re"), refund)
        self._book(made, -amount, "refund")
        return status, made

    def _reverse(self, id: str) -> tuple[int, Doc]:
        refund = self.see("refund", id)
        if refund["status"] == "reversed":
            return 200, refund
        self._book(refund, Decimal(refund["amount"]), "reversal")
        return 201, self.store.put("refund", id, {**refund, "status": "reversed"})

    def _book(self, refund: Doc, amount: Decimal, what: str) -> None:
        entry = {"account": refund["account"], "refund": refund["id"], "what": what, "amount": str(amount)}
        self.store.add("entry", self.store.new_id("entry", "le"), entry)
        account = self.see("account", refund["account"])
        self.store.put("account", account["id"], {**account, "balance": str(Decimal(account["balance"]) + amount)})

    def _open_budget(self, body: Doc) -> tuple[int, Doc]:
        centre = self.see("cost_centre", text(body, "cost_centre"))["id"]
        budget = {"cost_centre": centre, "amount": str(money(body)), "currency": text(body, "currency")}
        return self.make("budget", self.store.new_id("budget", "bu"), budget)

    def _move_batch(self, id: str, status: str) -> tuple[int, Doc]:
        batch = self.see("batch", id)
        if batch["status"] == "void" != status:
            raise Refusal(409, "void", f"Batch {id} is void.")
        return 200, self.store.put("batch", id, {**batch, "status": status})
