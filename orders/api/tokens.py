"""JSON Web Tokens. They carry role, driver and customer, so that a socket connects without a query."""

from __future__ import annotations

import secrets
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction
from django.dispatch import Signal
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken
from rest_framework_simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
)
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from orders import permissions

NO_ACCOUNT = _("There is no active account with this name and password.")
# Sent with `session`, the claim of a sign-in that its user ended.
signed_out = Signal()


def claims(user: User) -> dict[str, Any]:
    """What a token says of its user; null where the user is none of it."""
    role = permissions.main_role(user)
    return {
        "role": role.value if role else None,
        "driver": permissions.driver_id(user),
        "customer": permissions.customer_id(user),
    }


class Refresh(RefreshToken):
    """Its access tokens say what the user is now, not what they were at the sign-in.

    `session` names the sign-in and stays when tokens are renewed; `password_mark`: the password it was made with.
    """

    @classmethod
    def for_user(cls, user: Any) -> Refresh:
        token = super().for_user(user)
        token["session"], token["password_mark"] = secrets.token_hex(16), permissions.password_mark(user)
        return cast("Refresh", token)

    @property
    def access_token(self) -> AccessToken:
        access = super().access_token
        user = User.objects.select_related("driver", "customer").get(pk=self[api_settings.USER_ID_CLAIM])
        access.payload.update(claims(user))
        return access


class Authentication(JWTAuthentication):
    """A token from before the password was changed opens nothing, neither does it get a ticket for a socket."""

    def get_user(self, validated_token: Token) -> Any:
        user = cast("User", super().get_user(validated_token))
        if validated_token.get("password_mark") != permissions.password_mark(user):
            raise InvalidToken
        return user


class TokenSerializer(TokenObtainPairSerializer):
    """Name and password for a pair of tokens."""

    token_class = Refresh
    default_error_messages = {"no_active_account": NO_ACCOUNT}


class RefreshSerializer(TokenRefreshSerializer):
    """A refresh token for a new pair; the old one is used up."""

    token_class = Refresh
    default_error_messages = {"no_active_account": NO_ACCOUNT}

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        token = self.token_class(attrs["refresh"])
        user = User.objects.filter(pk=token.get(api_settings.USER_ID_CLAIM)).first()
        if user is None or token.get("password_mark") != permissions.password_mark(user):
            raise AuthenticationFailed(NO_ACCOUNT, "no_active_account")
        return super().validate(attrs)


class LogoutSerializer(TokenBlacklistSerializer):
    """Ends the sign-in that a refresh token belongs to."""

    token_class = Refresh

    def validate(self, attrs: dict[str, Any]) -> dict[Any, Any]:
        session = self.token_class(attrs["refresh"]).get("session")
        with transaction.atomic():
            done = super().validate(attrs)
            signed_out.send(sender=Refresh, session=session)
        return done


class TokenPair(serializers.Serializer[Any]):
    """For the schema: what both calls answer."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)
