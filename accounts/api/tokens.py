"""JSON Web Tokens. Access tokens contain role, driver and customer, so that a socket connects without a query."""

from __future__ import annotations

import secrets
from typing import Any, cast

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Exists, QuerySet
from django.dispatch import Signal
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from drf_spectacular.contrib.rest_framework_simplejwt import SimpleJWTScheme
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError
from rest_framework_simplejwt.serializers import (
    TokenBlacklistSerializer,
    TokenObtainPairSerializer,
    TokenRefreshSerializer,
)
from rest_framework_simplejwt.settings import api_settings
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from accounts.roles import customer_id, driver_id, no_role, password_mark, side_of, staff_role

NO_ACCOUNT = _("There is no active account with this name and password. Please check both.")
NOT_ACTIVE = _("This account is deactivated. Please ask the office.")
CHANGED = _("This account was deactivated, or its password was changed. Please sign in again.")
USED = _("This refresh token was already used or has expired. Please sign in again.")
# Sent when a sign-in is revoked. `session` is the claim that its tokens share.
signed_out = Signal()


def claims(user: User) -> dict[str, Any]:
    """The claims of an access token about its user; each is None if the user does not have that role."""
    role = side_of(user)
    return {
        "role": role.value if role else None,
        "staff": staff.value if (staff := staff_role(user)) else None,
        "driver": driver_id(user),
        "customer": customer_id(user),
    }


def check_has_role(user: User) -> None:
    """Raises Refusal if the user has no role."""
    if side_of(user) is None:
        raise no_role()


class Refresh(RefreshToken):
    """A refresh token. Its access tokens have the user's current roles, not those at the sign-in.

    The claim `session` identifies the sign-in and is the same in all its tokens, the token family. `password_mark`
    changes with the password, so that older tokens can be refused.
    """

    @classmethod
    def for_user(cls, user: Any) -> Refresh:
        token = super().for_user(user)
        token["session"], token["password_mark"] = secrets.token_hex(16), password_mark(user)
        return cast("Refresh", token)

    @property
    def access_token(self) -> AccessToken:
        access = super().access_token
        user = User.objects.select_related("staff_role", "driver", "customer").get(pk=self[api_settings.USER_ID_CLAIM])
        access.payload.update(claims(user))
        return access

    def check_blacklist(self) -> None:
        """Does nothing, because several concurrent uses would all find the token unused. `use` checks it instead."""

    def use(self) -> bool:
        """Uses the token up. Of several concurrent uses one returns True, unless the sign-in is revoked.

        Any further use revokes the whole family: somebody has a copy, and nobody can tell whether the owner or the
        thief came first (RFC 9700, 4.14.2). So the caller must commit its transaction even if this is False.
        """
        _row, is_first = cast("tuple[Any, bool]", self.blacklist())
        if not is_first:
            revoke_family(self.get("session"))
        return is_first and not _revocation(self.get("session")).exists()

    def renew(self) -> dict[str, str]:
        """Returns a new pair of the same family. Raises TokenError if this token was used or revoked."""
        with transaction.atomic():
            pair = self._pair() if self.use() else None
        if pair is None:
            raise TokenError(USED)
        return pair

    def _pair(self) -> dict[str, str]:
        access = str(self.access_token)
        self.set_jti()
        self.set_exp()
        self.set_iat()
        self.outstand()
        return {"access": access, "refresh": str(self)}


def _family_jti(session: str | None) -> str:
    """The `jti` under which a revoked family is stored in the blacklist."""
    return f"session:{session}"


def _revocation(session: str | None) -> QuerySet[BlacklistedToken]:
    """The blacklist row of this family, if it is revoked."""
    return BlacklistedToken.objects.filter(token__jti=_family_jti(session))


def users_with_signed_out(session: str | None) -> QuerySet[Any]:
    """All users, annotated with `signed_out`: whether this sign-in is revoked."""
    return User.objects.select_related("staff_role").annotate(signed_out=Exists(_revocation(session)))


def revoke_family(session: str | None) -> None:
    """Revokes all tokens of this sign-in and closes its sockets. The caller must commit its transaction."""
    if session is None:
        return
    # The row must outlive every token of the sign-in. After that `delete_expired` may delete it.
    lifetime = api_settings.REFRESH_TOKEN_LIFETIME + api_settings.ACCESS_TOKEN_LIFETIME
    now = timezone.now()
    values = {"token": "", "created_at": now, "expires_at": now + lifetime}
    family, _created = OutstandingToken.objects.get_or_create(jti=_family_jti(session), defaults=values)
    _row, is_new = BlacklistedToken.objects.get_or_create(token=family)
    if is_new:
        signed_out.send(sender=Refresh, session=session)


def delete_expired() -> None:
    """Deletes expired tokens, and revoked families whose tokens have all expired."""
    OutstandingToken.objects.filter(expires_at__lt=timezone.now()).delete()


class Authentication(JWTAuthentication):
    """Refuses tokens issued before a password change, and tokens of a revoked sign-in. Sockets use `realtime.auth`."""

    def get_user(self, validated_token: Token) -> Any:
        """Loads the user and whether the sign-in is revoked, in one query. Raises AuthenticationFailed."""
        users = users_with_signed_out(validated_token.get("session"))
        user = users.filter(pk=validated_token.get(api_settings.USER_ID_CLAIM)).first()
        if user is None or not user.is_active:
            raise AuthenticationFailed(NOT_ACTIVE, "user_inactive" if user else "user_not_found")
        if user.signed_out or validated_token.get("password_mark") != password_mark(user):
            raise InvalidToken
        return user


class AuthenticationScheme(SimpleJWTScheme):  # type: ignore[no-untyped-call]  # it registers itself
    target_class = "accounts.api.tokens.Authentication"


class TokenSerializer(TokenObtainPairSerializer):
    """Exchanges name and password for a pair of tokens. Raises Refusal if the account has no role."""

    token_class = Refresh
    default_error_messages = {"no_active_account": NO_ACCOUNT}

    @classmethod
    def get_token(cls, user: Any) -> Any:
        check_has_role(user)
        return super().get_token(user)


class RefreshSerializer(TokenRefreshSerializer):
    """Exchanges a refresh token for a new pair. A refresh token works once."""

    token_class = Refresh

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        token = self.token_class(attrs["refresh"])
        user = User.objects.filter(pk=token.get(api_settings.USER_ID_CLAIM), is_active=True).first()
        if user is None or token.get("password_mark") != password_mark(user):
            raise AuthenticationFailed(CHANGED, "no_active_account")
        check_has_role(user)
        return token.renew()


class LogoutSerializer(TokenBlacklistSerializer):
    """Revokes the sign-in that a refresh token belongs to."""

    token_class = Refresh

    def validate(self, attrs: dict[str, Any]) -> dict[Any, Any]:
        token = self.token_class(attrs["refresh"])
        with transaction.atomic():
            is_first = token.use()
            revoke_family(token.get("session"))
        if not is_first:
            raise TokenError(USED)
        return {}


class TokenPair(serializers.Serializer[Any]):
    """A pair of tokens: the response of sign-in and refresh."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)
