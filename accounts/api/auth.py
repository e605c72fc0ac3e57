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
        """The access token works for 15 minutes, the refresh token once within 14 days."""
        try:
            answer = super().post(request, *args, **kwargs)
        except AuthenticationFailed:
            if attempts.is_locked(request):
                wait = attempts.cooloff_seconds()
                raise Refusal("locked", attempts.locked_text(), status=429, wait=wait) from None
            raise
        attempts.clear_failures(request._request, request.data["username"])
        return answer


@extend_schema_view(
    post=extend_schema(
        operation_id="auth_token_refresh", request=RefreshSerializer, responses=TokenPair,
        description="The new tokens have the current roles. Using the old refresh token again ends the sign-in.",
    )
)  # fmt: skip
class TokenRefresh(views.TokenRefreshView):
    serializer_class = RefreshSerializer


@extend_schema_view(
    post=extend_schema(
        operation_id="auth_logout", request=LogoutSerializer, responses={200: None},
        description="Ends the sign-in of a refresh token. Its tokens get 401 from then on, and its sockets close.",
    )
)  # fmt: skip
class Logout(views.TokenBlacklistView):
    serializer_class = LogoutSerializer
