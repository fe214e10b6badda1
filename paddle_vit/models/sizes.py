"""Sizes of images, patches, heads and windows: what follows from them, and a clear error for what cannot be right."""

import numbers


def pair(size):
    """An int as (size, size); a pair (height, width) as it is."""
    if isinstance(size, (tuple, list)):
        height, width = size
        return int(height), int(width)
    return int(size), int(size)


def patch_grid(image_size, patch_size):
    """Rows and columns of patches in an image.

    Args:
        image_size, patch_size: pixels, an int or (height, width).

    Raises:
        ValueError: the patches do not tile the image.
    """
    (height, width), (patch_height, patch_width) = pair(image_size), pair(patch_size)
    if min(height, width, patch_height, patch_width) < 1 or height % patch_height or width % patch_width:
        raise ValueError(
            f"patches of {patch_height}x{patch_width} pixels do not tile an image of {height}x{width}: "
            f"choose an image_size that is a multiple of patch_size"
        )
    return height // patch_height, width // patch_width


def padded_grid(image_size, patch_size):
    """Rows and columns of patches in an image that is padded to a whole number of them.

    Args:
        image_size, patch_size: pixels, an int or (height, width).

    Raises:
        ValueError: the image is smaller than one patch.
    """
    (height, width), (patch_height, patch_width) = pair(image_size), pair(patch_size)
    if min(patch_height, patch_width) < 1 or height < patch_height or width < patch_width:
        raise ValueError(
            f"an image of {height}x{width} pixels is smaller than a patch of {patch_height}x{patch_width}: "
            f"choose a larger image_size or a smaller patch_size"
        )
    return round_up(height, patch_height) // patch_height, round_up(width, patch_width) // patch_width


def round_up(size, multiple):
    """The smallest multiple that is at least size."""
    return -(-size // multiple) * multiple


def head_width(embed_dim, num_heads):
    """Channels of one attention head, D = C / H.

    Raises:
        ValueError: the heads do not divide the channels.
    """
    if num_heads < 1 or embed_dim % num_heads:
        raise ValueError(f"embed_dim={embed_dim} cannot be split into num_heads={num_heads} equal heads")
    return embed_dim // num_heads


def check_image(image, image_size, in_channels):
    """Raise a ValueError unless image is [B, in_channels, height, width] of the size that the model was built for."""
    expected = [in_channels, *pair(image_size)]
    if image.ndim != 4 or list(image.shape[1:]) != expected:
        sizes = ", ".join(str(size) for size in expected)
        raise ValueError(
            f"expected images of shape [B, {sizes}], got {list(image.shape)}: resize the images, or build the model "
            f"with this image_size and in_channels"
        )


def check_window(window_size):
    """window_size, if windows can be that large.

    Raises:
        ValueError: it is not a whole number of at least 1.
    """
    if not isinstance(window_size, numbers.Integral) or isinstance(window_size, bool) or window_size < 1:
        raise ValueError(f"window_size must be a whole number of at least 1, got {window_size!r}")
    return window_size


def check_stages(depths, num_heads):
    """Raise a ValueError unless every stage has a depth and a number of heads."""
    lists = all(isinstance(one, (list, tuple)) for one in (depths, num_heads))
    if not lists or not depths or len(depths) != len(num_heads) or min(depths) < 0:
        raise ValueError(
            f"depths={depths} and num_heads={num_heads} must be lists with one entry for each stage, and at least one stage"
        )


def check_mask(windows, mask):
    """Raise a ValueError unless a mask [nW, N, N] fits windows [B*nW, N, C]: as many tokens, and nW divides B*nW."""
    count, tokens = windows.shape[:2]
    if mask.ndim != 3 or list(mask.shape[1:]) != [tokens, tokens] or not mask.shape[0] or count % mask.shape[0]:
        raise ValueError(
            f"a mask for windows {list(windows.shape)} must be [nW, {tokens}, {tokens}], where nW windows make an image "
            f"and divide {count}; got {list(mask.shape)}"
        )
