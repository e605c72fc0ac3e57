from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from orders.models.proof import MAX_BYTES, to_jpeg
from web.refusals import Refusal


def make_image(form: str = "JPEG", size: tuple[int, int] = (40, 30), **options: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, "red").save(out, form, **options)
    return out.getvalue()


def make_upload(content: bytes) -> SimpleUploadedFile:
    return SimpleUploadedFile("photo.jpg", content, "image/jpeg")


def open_image(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content))


def refusal_code(content: bytes) -> str:
    with pytest.raises(Refusal) as caught:
        to_jpeg(make_upload(content))
    return caught.value.code


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_image_is_stored_as_jpeg(form: str) -> None:
    stored = open_image(to_jpeg(make_upload(make_image(form))))
    assert (stored.format, stored.size) == ("JPEG", (40, 30))


def test_metadata_is_dropped() -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    content = make_image(exif=exif, comment=b"secret words") + b"<script>secret</script>"
    assert b"secret" in content
    assert b"secret" not in to_jpeg(make_upload(content))


def test_rotated_photo_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_image(to_jpeg(make_upload(make_image(exif=exif)))).size == (30, 40)


def test_transparent_background_becomes_white() -> None:
    out = BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(out, "PNG")
    assert open_image(to_jpeg(make_upload(out.getvalue()))).getpixel((4, 4)) == (255, 255, 255)


@pytest.mark.parametrize(
    "content",
    [b"", b"GIF89a", b"<svg xmlns='http://www.w3.org/2000/svg'/>", make_image("GIF"), make_image("BMP"),
     make_image()[:400], make_image("PNG")[:60]],
)  # fmt: skip
def test_incomplete_or_other_image_is_refused(content: bytes) -> None:
    assert refusal_code(content) == "invalid_image"


def test_too_many_bytes_or_pixels_are_refused() -> None:
    assert refusal_code(make_image() + b" " * MAX_BYTES) == "image_too_large"
    assert refusal_code(make_image("PNG", (4001, 4000))) == "image_too_large"


def test_image_so_large_that_pillow_refuses_to_open_it_is_too_large() -> None:
    out = BytesIO()
    Image.new("1", (14_000, 14_000)).save(out, "PNG")
    assert refusal_code(out.getvalue()) == "image_too_large"


@pytest.mark.parametrize(
    ("form", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("PNG", "1")]
)
def test_large_image_is_scaled_down(form: str, mode: str) -> None:
    out = BytesIO()
    Image.new(mode, (4000, 3000), 1).save(out, form)
    assert open_image(to_jpeg(make_upload(out.getvalue()))).size == (2048, 1536)


def test_thin_line_survives_scaling() -> None:
    out, drawn = BytesIO(), Image.new("1", (4000, 3000), 1)
    drawn.paste(0, (0, 1501, 4000, 1502))
    drawn.save(out, "PNG")
    stored = open_image(to_jpeg(make_upload(out.getvalue()))).convert("L")
    assert min(stored.tobytes()) < 200


@given(st.binary(max_size=200), st.integers(0, 600), st.sampled_from([make_image(), make_image("PNG")]))
def test_broken_bytes_raise_only_refusal(noise: bytes, at: int, whole: bytes) -> None:
    content = whole[:at] + noise + whole[at + len(noise) :]
    result = outcome(lambda: to_jpeg(make_upload(content)))
    assert result in ("invalid_image", "image_too_large") or open_image(result).format == "JPEG"  # type: ignore[arg-type]


def outcome(work: Callable[[], bytes]) -> bytes | str:
    try:
        return work()
    except Refusal as refusal:
        return refusal.code
