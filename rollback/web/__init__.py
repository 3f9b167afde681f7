"""What all pages and API endpoints share: problems, idempotency, paging, access."""
