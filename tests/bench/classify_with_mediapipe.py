"""MediaPipe's ImageClassifier on pictures, one JSON line each; runs where mediapipe is, and needs nothing else.

python tests/bench/classify_with_mediapipe.py MODEL.tflite < paths
"""

from __future__ import annotations

import json
import sys

import mediapipe
from mediapipe.tasks.python import BaseOptions, vision

options = vision.ImageClassifierOptions(base_options=BaseOptions(model_asset_path=sys.argv[1]), max_results=-1)
with vision.ImageClassifier.create_from_options(options) as classifier:
    for line in sys.stdin:
        picture = mediapipe.Image.create_from_file(line.strip())
        categories = classifier.classify(picture).classifications[0].categories
        print(json.dumps({category.category_name: category.score for category in categories}), flush=True)
