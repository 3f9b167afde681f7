"""Signs outgoing calls as Standard Webhooks says (standardwebhooks.com), through its own library.

Whoever receives a call can check that it is ours, that nobody changed it, and that it is not an old one again:
the compensation's key is the message's id.
"""

import binascii
import datetime as dt

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook

HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


def signed(secret: str, key: str, body: bytes, at: dt.datetime) -> dict[str, str]:
    """The headers that sign ``body``, sent ``at`` a moment. Raises ``ValueError`` for a secret that is none.

    ``secret`` is base64, with or without ``whsec_`` before it.
    """
    try:
        signature = Webhook(secret).sign(msg_id=key, timestamp=at, data=body.decode())
    except (binascii.Error, EmptyWebhookSecretError) as error:
        raise ValueError("the signing secret is not base64, as Standard Webhooks asks") from error
    return dict(zip(HEADERS, (key, str(int(at.timestamp())), signature), strict=True))
