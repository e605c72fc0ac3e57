"""`auth/`: tokens for programs and apps."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt import views

from accounts import attempts
from accounts.api.tokens import LogoutSerializer, RefreshSerializer, TokenPair, TokenSerializer
from web.refusals import Refusal


class Token(views.TokenObtainPairView):
    throttle_scope = "sign_in"

    @extend_schema(operation_id="auth_token", request=TokenSerializer, responses=TokenPair)
    def post(self, request: Request, *args: object, **kwargs: object) -> Response:
        """Name and password for an access token (15 min) and a refresh token (14 days, single use)."""
        try:
            answer = super().post(request, *args, **kwargs)
        except AuthenticationFailed:
            if attempts.is_locked(request):
                wait = attempts.cooloff_seconds()
                raise Refusal("locked", attempts.locked_words(), status=429, wait=wait) from None
            raise
        attempts.forget(request._request, request.data["username"])
        return answer


@extend_schema_view(
    post=extend_schema(
        operation_id="auth_token_refresh", request=RefreshSerializer, responses=TokenPair,
        description="A refresh token for a new pair, with the roles of now. Used again, the old one ends the sign-in.",
    )
)  # fmt: skip
class TokenRefresh(views.TokenRefreshView):
    serializer_class = RefreshSerializer


@extend_schema_view(
    post=extend_schema(
        operation_id="auth_logout", request=LogoutSerializer, responses={200: None},
        description="Ends the sign-in of a refresh token: its tokens open nothing any more, its sockets close.",
    )
)  # fmt: skip
class Logout(views.TokenBlacklistView):
    serializer_class = LogoutSerializer
