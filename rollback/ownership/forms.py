"""The sign-in form."""

from django.contrib.auth.forms import AuthenticationForm
from django.forms import EmailField, EmailInput


class SignInForm(AuthenticationForm):
    """E-mail and password; says the same whether the address is known or not."""

    username = EmailField(label="E-mail", widget=EmailInput(attrs={"autofocus": True, "autocomplete": "username"}))
    error_messages = {
        "invalid_login": "This address and password do not belong together. Too many tries lock sign-in for a while.",
        "inactive": "This address and password do not belong together.",
    }

    def clean_username(self) -> str:
        """Addresses are the same in any case."""
        return str(self.cleaned_data["username"]).lower()
