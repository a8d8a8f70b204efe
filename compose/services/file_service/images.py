"""Images become WebP in a useful and in a small size. What is too large is refused unopened."""

import warnings
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from file_service.storage import written

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
PIXELS_MAX = 50_000_000
LARGE = (1600, 1600)
SMALL = (256, 256)


class BadImage(Exception):
    """It calls itself an image and cannot be read as one."""


@dataclass(frozen=True)
class Converted:
    image_format: str
    width: int
    height: int


def is_image(path):
    try:
        with Image.open(path, formats=FORMATS):
            return True
    except UnidentifiedImageError:
        return False
    except (Image.DecompressionBombError, OSError, ValueError, SyntaxError):
        return True


def plain(image):
    """With transparency if it has any; palettes and the colours of printers become those of screens."""
    return image.convert("RGBA" if image.has_transparency_data else "RGB")


def convert(path, large_path, small_path, on_step):
    """Writes both sizes; on_step() after each step: opened, large, small."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                found = Converted(image.format, *image.size)
                if image.width * image.height > PIXELS_MAX:
                    raise BadImage(f"{image.width}×{image.height} pixels are too many")
                # A large JPEG need not be read at its full size.
                image.draft("RGB", LARGE)
                upright = plain(ImageOps.exif_transpose(image))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise BadImage(str(error)) from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise BadImage(f"the image is damaged: {error}") from error
    on_step()
    for target, size in ((large_path, LARGE), (small_path, SMALL)):
        upright.thumbnail(size)
        with written(target) as stream:
            upright.save(stream, "WEBP", quality=80)
        on_step()
    return found
