from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import DateField, Model
from django.test import Client
from django.urls import reverse

from luckygas.tests.test_imports import HOUSE

pytestmark = [pytest.mark.django_db, pytest.mark.sqlite]
OURS = [app for app in HOUSE if app != "luckygas"]
FOUND = [model for app in OURS for model in apps.get_app_config(app).get_models()]
MODELS: list[type[Model]] = [User, *(model for model in FOUND if admin.site.is_registered(model))]
DAYS = [(model, field.name) for model in MODELS for field in model._meta.fields if isinstance(field, DateField)]


@pytest.mark.filterwarnings("ignore:DateTimeField .* received a naive datetime")
@pytest.mark.parametrize(("model", "name"), DAYS)
def test_a_day_at_the_end_of_time_breaks_no_list(admin_client: Client, model: type[Model], name: str) -> None:
    page = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
    queries: list[dict[str, Any]] = [
        {"gte": "0001-01-01"}, {"lt": "9999-12-31 23:59-08:00"}, {"year": 9999}, {"year": 1, f"{name}__month": 1},
    ]  # fmt: skip
    for query in queries:
        said = {key if "__" in key else f"{name}__{key}": value for key, value in query.items()}
        assert admin_client.get(page, said).status_code < 500


@pytest.mark.parametrize("model", MODELS)
def test_a_selection_of_nothing_breaks_no_list(admin_client: Client, model: type[Model]) -> None:
    page = reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")
    names = admin.site.get_model_admin(model).actions
    for name in filter(None, [*(str(name) for name in names or ()), "delete_selected"]):
        said = {"action": name, "_selected_action": "abc"}
        assert admin_client.post(page, said).status_code < 500
