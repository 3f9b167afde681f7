"""The filters of the run list."""

from django import forms

from rollback.runs.states import RunState


class RunFilters(forms.Form):
    """All optional, all in the address."""

    text = forms.CharField(label="Search", required=False, max_length=200)
    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "Any"), *((state.value, state.value.replace("_", " ").capitalize()) for state in RunState)],
    )
    workflow = forms.CharField(label="Workflow", required=False, max_length=80)
