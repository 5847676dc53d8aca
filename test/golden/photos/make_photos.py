"""Makes the photographs beside it from those that come with scikit-image 0.26 (see LICENSES.md): the middle square, 224 x 224, JPEG.

    python3 test/golden/photos/make_photos.py
"""
import pathlib

import numpy as np
from PIL import Image
from skimage import data

NAMES = ["astronaut", "brick", "camera", "chelsea", "coffee", "grass", "hubble_deep_field", "retina", "rocket"]

folder = pathlib.Path(__file__).parent
for name in NAMES:
    image = Image.fromarray(np.asarray(getattr(data, name)())).convert("RGB")
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    square = image.crop((left, top, left + side, top + side)).resize((224, 224), Image.Resampling.LANCZOS)
    square.save(folder / f"{name}.jpg", quality=85)
