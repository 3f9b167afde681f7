"""The forms of the incident pages."""

from django import forms

from incidents.response.states import IncidentState


class NoteForm(forms.Form):
    """A note on the timeline."""

    text = forms.CharField(label="Note", max_length=5000, widget=forms.Textarea(attrs={"rows": 2}))


class IncidentFilters(forms.Form):
    """All optional, all in the address."""

    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "Any"), *((state.value, state.value.capitalize()) for state in IncidentState)],
    )
    text = forms.CharField(label="Search", required=False, max_length=200)
