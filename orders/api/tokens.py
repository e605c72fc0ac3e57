"""JSON Web Tokens. They carry role, driver and customer, so that a socket connects without a query."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from orders import permissions

NO_ACCOUNT = _("There is no active account with this name and password.")


def claims(user: User) -> dict[str, Any]:
    """What a token says of its user; null where the user is none of it."""
    role = permissions.main_role(user)
    return {
        "role": role.value if role else None,
        "driver": permissions.driver_id(user),
        "customer": permissions.customer_id(user),
    }


class Refresh(RefreshToken):
    """Its access tokens say what the user is now, not what they were at the sign-in."""

    @property
    def access_token(self) -> AccessToken:
        access = super().access_token
        user = User.objects.select_related("driver", "customer").get(pk=self[api_settings.USER_ID_CLAIM])
        access.payload.update(claims(user))
        return access


class TokenSerializer(TokenObtainPairSerializer):
    """Name and password for a pair of tokens."""

    token_class = Refresh
    default_error_messages = {"no_active_account": NO_ACCOUNT}


class RefreshSerializer(TokenRefreshSerializer):
    """A refresh token for a new pair; the old one is used up."""

    token_class = Refresh
    default_error_messages = {"no_active_account": NO_ACCOUNT}

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        try:
            return super().validate(attrs)
        except User.DoesNotExist:
            raise AuthenticationFailed(NO_ACCOUNT, "no_active_account") from None


class TokenPair(serializers.Serializer[Any]):
    """For the schema: what both calls answer."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)
