"""The form behind both answers to an approval."""

from django import forms


class DecisionForm(forms.Form):
    """The answer, its reason, and the hash of what was shown."""

    verdict = forms.ChoiceField(choices=[("approve", "Approve"), ("refuse", "Refuse")], widget=forms.HiddenInput)
    shown_hash = forms.CharField(max_length=64, widget=forms.HiddenInput)
    reason = forms.CharField(
        label="Reason",
        max_length=5000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Goes into the record, with your name.",
    )
