"""The forms of the rollback pages."""

from typing import Any, cast

from django import forms
from django.http import QueryDict

from rollback.recovery.states import RollbackState
from rollback.runs.models import Run


class ScopeForm(forms.Form):
    """Which steps to take back, in the address of the preview: ``?scope=back_to&step=…``."""

    scope = forms.ChoiceField(
        label="What is taken back",
        required=False,
        choices=[
            ("all", "The whole run"),
            ("back_to", "Everything after a step"),
            ("steps", "Chosen steps, with what was built on them"),
        ],
        widget=forms.RadioSelect,
    )
    step = forms.ChoiceField(label="After which step", required=False)
    steps = forms.MultipleChoiceField(label="Which steps", required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(self, data: QueryDict, run: Run) -> None:
        """The choices are the run's steps."""
        super().__init__({"scope": "all"} if "scope" not in data else data)
        choices = [
            (str(pk), f"{number}. {key}") for pk, number, key in run.steps.values_list("pk", "number", "action_key")
        ]
        cast("forms.ChoiceField", self.fields["step"]).choices = choices
        cast("forms.MultipleChoiceField", self.fields["steps"]).choices = choices

    def chosen(self) -> dict[str, Any]:
        """The scope as in API.md; the whole run where the address makes no sense."""
        self.is_valid()
        data = self.cleaned_data
        if data.get("scope") == "back_to" and data.get("step"):
            return {"kind": "back_to", "step": data["step"], "cascade": False}
        if data.get("scope") == "steps" and data.get("steps"):
            return {"kind": "steps", "steps": sorted(data["steps"]), "cascade": False}
        return {"kind": "all", "cascade": False}


class CancelForm(forms.Form):
    """Ends a paused rollback."""

    reason = forms.CharField(
        label="Why is the rest left as it is?",
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Goes into the record, with your name.",
    )


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


class WaiveForm(forms.Form):
    """Asks a second person to agree that a step is left as it is."""

    reason = forms.CharField(
        label="Why is it left as it is?",
        max_length=5000,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="A second person reads this, and it goes into the record with your name.",
    )


class RollbackFilters(forms.Form):
    """All optional, all in the address."""

    state = forms.ChoiceField(
        label="State",
        required=False,
        choices=[("", "Any"), *((state.value, state.value.replace("_", " ").capitalize()) for state in RollbackState)],
    )
    workflow = forms.CharField(label="Workflow", required=False, max_length=80)
