from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from PIL import Image

from dispatch.models import Driver
from orders.models import Order, ProofImage, proof
from orders.tests.api.client import Api, codes, make_api
from orders.tests.factories import make_customer, make_driver, make_office, make_order, make_user
from orders.tests.test_proof_images import make_image
from orders.tests.threads import run_concurrently

pytestmark = pytest.mark.django_db


@pytest.fixture
def driver() -> Driver:
    return make_driver()


@pytest.fixture
def order(driver: Driver) -> Order:
    return make_order("delivered", driver=driver)


def send(api: Api, order: Order, content: bytes | None = None, **payload: Any) -> Any:
    image = SimpleUploadedFile("signature.png", make_image("PNG") if content is None else content, "image/png")
    body = {"kind": "signature", "image": image} | payload
    return api.client.post(f"/api/v1/orders/{order.pk}/proof-images/", body, format="multipart")


def test_driver_uploads_image_and_office_sees_it(driver: Driver, order: Order) -> None:
    answer = send(Api(driver.user), order)
    assert answer.status_code == 201
    office = make_api("office")
    (shown,) = office.get(f"orders/{order.pk}/").json()["proof_images"]
    assert shown == answer.json()
    assert (shown["kind"], shown["attempt"]) == ("signature", 1)
    image = office.client.get(shown["url"])
    assert (image.status_code, image.headers["Content-Type"]) == (200, "image/jpeg")
    assert image.headers["X-Content-Type-Options"] == "nosniff"
    assert image.headers["Cache-Control"] == "private, no-store"
    assert image.content.startswith(b"\xff\xd8\xff")


def test_only_office_and_driver_of_order_see_image(driver: Driver) -> None:
    customer = make_customer(user=make_user())
    order = make_order("delivered", driver=driver, customer=customer)
    assert customer.user is not None
    url = send(make_api("office"), order).json()["url"]
    readers = [Api(driver.user), make_api("driver"), Api(customer.user), make_api("none"), Api()]
    assert [reader.client.get(url).status_code for reader in readers] == [200, 404, 403, 403, 401]


def test_next_driver_does_not_see_images_of_earlier_attempt(driver: Driver) -> None:
    order = make_order("arriving", driver=driver)
    url = send(Api(driver.user), order).json()["url"]
    other = make_driver()
    order.transition_to("failed", reason="無人")
    order.transition_to("confirmed")
    order.assign(other)
    assert [reader.client.get(url).status_code for reader in (Api(other.user), make_api("office"))] == [404, 200]


def test_only_driver_and_office_upload(order: Order) -> None:
    customer = make_customer(user=make_user())
    own = make_order(customer=customer)
    assert customer.user is not None
    assert codes(send(Api(customer.user), own)) == [("forbidden", None)]
    assert codes(send(make_api("driver"), order)) == [("not_found", None)]
    assert send(Api(), order).status_code == 401
    assert not ProofImage.objects.exists()


def test_permission_is_checked_before_decoding(order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = b"no image"
    customer = make_customer(user=make_user())
    assert customer.user is not None
    own = make_order(customer=customer)
    assert [codes(send(Api(customer.user), each, broken)) for each in (order, own)] == [[("forbidden", None)]] * 2
    assert codes(send(make_api("driver"), order, broken)) == [("not_found", None)]
    monkeypatch.setattr(proof, "MAX_PER_ORDER", 0)
    assert codes(send(make_api("office"), order, broken)) == [("too_many_images", "image")]


def test_images_have_own_throttle(driver: Driver, order: Order, rates: Any) -> None:
    rates(proof_image="2/h", driver="")
    api = Api(driver.user)
    assert [send(api, order).status_code for _ in range(3)] == [201, 201, 429]
    assert api.get("orders/").status_code == 200


@pytest.mark.django_db(transaction=True)
def test_images_are_decoded_one_at_a_time_without_database_connection(
    driver: Driver, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = Image.Image.thumbnail, list[tuple[int, bool]]()
    now = [0]

    def decode(*arguments: Any) -> None:
        now[0] += 1
        seen.append((now[0], connection.connection is not None))
        time.sleep(0.02)
        now[0] -= 1
        real(*arguments)

    monkeypatch.setattr(Image.Image, "thumbnail", decode)
    answers = run_concurrently(lambda user: send(Api(user), order), [driver.user] * 6)
    assert [answer.status_code for answer in answers] == [201] * 6
    assert seen == [(1, False)] * 6


@pytest.mark.django_db(transaction=True)
def test_overloaded_decoding_asks_to_retry(driver: Driver, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof.decoding, "slots", threading.BoundedSemaphore(1))
    with proof.decoding.turn():
        answer = send(Api(driver.user), order)
    assert (answer.status_code, answer["Retry-After"], codes(answer)) == (503, "5", [("busy", None)])


def test_repeated_ref_stores_once_and_is_answered_after_reassignment(driver: Driver) -> None:
    order = make_order("assigned", driver=driver)
    api = Api(driver.user)
    first = send(api, order, ref="a")
    order.assign(make_driver(), by=make_office())
    assert send(api, order, ref="a").json() == first.json()
    assert codes(send(api, order, ref="b")) == [("not_found", None)]
    assert ProofImage.objects.count() == 1


def test_ref_of_another_order_is_refused(driver: Driver, order: Order) -> None:
    api = Api(driver.user)
    send(api, order, ref="a")
    assert codes(send(api, make_order("delivered", driver=driver), ref="a")) == [("ref_reused", "ref")]


def test_images_per_order_are_limited(driver: Driver, order: Order, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "MAX_PER_ORDER", 1)
    api = Api(driver.user)
    assert send(api, order).status_code == 201
    assert codes(send(api, order)) == [("too_many_images", "image")]


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"kind": "selfie"}, ("invalid_choice", "kind")),
        ({"content": b"no image"}, ("invalid_image", "image")),
        ({"content": b""}, ("empty", "image")),
        ({"image": "text"}, ("invalid", "image")),
        ({"ref": "x" * 65}, ("max_length", "ref")),
        ({"ref": "a\0b"}, ("null_characters_not_allowed", "ref")),
        ({"note": "?"}, ("unknown_field", "note")),
        ({"content": make_image() + b" " * proof.MAX_BYTES}, ("image_too_large", "image")),
    ],
)
def test_invalid_upload_names_error(order: Order, payload: dict[str, Any], code: tuple[str, str]) -> None:
    assert codes(send(make_api("office"), order, **payload)) == [code]
    assert not ProofImage.objects.exists()


def test_json_body_is_refused(order: Order) -> None:
    answer = make_api("office").post(f"orders/{order.pk}/proof-images/", {"kind": "photo"})
    assert answer.status_code == 415


@pytest.mark.parametrize("path", ["{0}/proof-images/9999999/", "{0}/proof-images/{1}/", "{1}/proof-images/1/"])
def test_unknown_image_is_404(order: Order, path: str) -> None:
    assert make_api("office").get(f"orders/{path.format(order.pk, '9' * 5000)}").status_code == 404


def test_missing_file_is_404(order: Order) -> None:
    api = make_api("office")
    url = send(api, order).json()["url"]
    ProofImage.objects.get().image.delete(save=False)
    ProofImage.objects.update(image="proof/gone.jpg")
    assert codes(api.client.get(url)) == [("not_found", None)]
