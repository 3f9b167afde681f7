"""The mail system: mailboxes, aliases, lists, and messages that cannot be called back."""

from examples.demo.world.store import Doc
from examples.demo.world.systems.contract import Refusal, System, nowhere, text

DOMAIN = "@example.org"


class Mail(System):
    """Mailboxes are named by their address, aliases and subscriptions too."""

    def handle(self, method: str, path: list[str], body: Doc) -> tuple[int, Doc]:
        """See ``System.handle``."""
        match [method, *path]:
            case ["PUT", "mailboxes", address]:
                box = {"owner": text(body, "owner"), "address": _address(address)}
                return self.make("mailbox", address, box)
            case ["GET", "mailboxes", address]:
                return 200, self.see("mailbox", address)
            case ["DELETE", "mailboxes", address]:
                return self.take_away("mailbox", address, *self._hanging_on(address))
            case ["PUT", "aliases", alias]:
                mailbox = self.see("mailbox", text(body, "mailbox"))["id"]
                return self.make("alias", _address(alias), {"mailbox": mailbox})
            case ["GET", "aliases", alias]:
                return 200, self.see("alias", alias)
            case ["DELETE", "aliases", alias]:
                return self.take_away("alias", alias)
            case ["PUT", "lists", name, "subscribers", address]:
                return self._subscribe(name, address)
            case ["GET", "lists", name, "subscribers", address]:
                return 200, self.see("subscription", f"{name}/{address}")
            case ["DELETE", "lists", name, "subscribers", address]:
                return self.take_away("subscription", f"{name}/{address}")
            case ["POST", "messages"]:
                return self._send(body)
            case ["GET", "messages", id]:
                return 200, self.see("message", id)
            case ["DELETE", "messages", _]:
                raise Refusal(405, "sent", "A message that was sent cannot be called back.")
        raise nowhere(method, path)

    def _subscribe(self, name: str, address: str) -> tuple[int, Doc]:
        self.see("list", name)
        self.see("mailbox", address)
        return self.make("subscription", f"{name}/{address}", {"list": name, "address": address})

    def _send(self, body: Doc) -> tuple[int, Doc]:
        message = {"to": _address(text(body, "to")), "subject": text(body, "subject"), "body": text(body, "body")}
        return self.make("message", self.store.new_id("message", "msg"), message)

    def _hanging_on(self, address: str) -> list[str]:
        aliases = [f"alias {alias['id']}" for alias in self.store.find("alias", mailbox=address)]
        lists = self.store.find("subscription", address=address)
        return aliases + [f"subscription of {subscription['list']}" for subscription in lists]


def _address(address: str) -> str:
    """An address of this company. Raises ``Refusal`` (422): the relay takes no other."""
    if not address.endswith(DOMAIN) or address.count("@") != 1 or address == DOMAIN:
        raise Refusal(422, "relay-denied", f"{address} is not an address at {DOMAIN[1:]}.")
    return address
