"""Make photos/*.jpg from the sample images of scikit-image and scikit-learn: python paddle_vit/data/make_photos.py

Needs scikit-image and scikit-learn. README.md beside this file says where the images come from and what was changed.
"""

from pathlib import Path

from PIL import Image

FOLDER = Path(__file__).with_name("photos")
SIZE = 224

# name -> left, top and side in pixels of the square that is cut out
SQUARES = {"cat": (95, 0, 300), "coffee": (110, 0, 400), "flower": (140, 60, 320), "pagoda": (10, 20, 400)}


def originals():
    """The whole images, [height, width, 3] uint8 each."""
    from skimage.data import chelsea, coffee
    from sklearn.datasets import load_sample_image

    return {
        "cat": chelsea(),
        "coffee": coffee(),
        "flower": load_sample_image("flower.jpg"),
        "pagoda": load_sample_image("china.jpg"),
    }


def make_photo(image, left, top, side):
    """The square of an image, resized."""
    square = Image.fromarray(image).crop((left, top, left + side, top + side))
    return square.resize((SIZE, SIZE), Image.LANCZOS)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, image in originals().items():
        path = FOLDER / f"{name}.jpg"
        make_photo(image, *SQUARES[name]).save(path, quality=92, optimize=True)
        print(f"{path}: {path.stat().st_size:,} bytes")
