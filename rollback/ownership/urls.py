"""The addresses of signing in and out."""

from django.conf import settings
from django.urls import path

from rollback.ownership import views

page_patterns = [
    path("sign-in/", views.SignInView.as_view(), name="sign-in"),
    path("sign-out/", views.SignOutView.as_view(), name="sign-out"),
    path("theme/", views.choose_theme, name="theme"),
]
if settings.DEBUG:
    page_patterns.append(path("sign-in/link/<str:token>", views.sign_in_link, name="sign-in-link"))
