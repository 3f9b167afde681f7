"""The diagrams in the documentation."""

from rollback.management.commands.document_states import PAGE, page


def test_the_documented_diagrams_are_those_of_the_tables() -> None:
    assert PAGE.read_text() == page(), "run: manage.py document_states"
