"""The forms of the rollback pages."""

from django import forms

from rollback.recovery.states import RollbackState


class StartForm(forms.Form):
    """Starts exactly the plan that was shown."""

    plan_hash = forms.CharField(max_length=64, widget=forms.HiddenInput)
    incident = forms.UUIDField(required=False, widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Why is this run rolled back?",
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Goes into the record, with your name.",
    )


class EvidenceForm(forms.Form):
    """What a person did by hand."""

    evidence = forms.CharField(
        label="What did you do, and where can it be seen?",
        max_length=10_000,
        widget=forms.Textarea(attrs={"rows": 4}),
        help_text="A link, a ticket or a few words. Goes into the record, with your name.",
    )


class RollbackFilters(forms.Form):
    """All optional, all in the address."""

    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "Any"), *((state.value, state.value.replace("_", " ").capitalize()) for state in RollbackState)],
    )
    workflow = forms.CharField(label="Workflow", required=False, max_length=80)
