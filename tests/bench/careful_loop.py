"""The loop to beat: decode, resize, invoke on every frame, and nothing else.

python -m tests.bench.careful_loop CLIP
"""

import sys
import time

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from edge.bundle import DEFAULT_BUNDLE, MODEL

cv2.setNumThreads(1)
interpreter = Interpreter(str(DEFAULT_BUNDLE / MODEL), num_threads=1)
interpreter.allocate_tensors()
input_details = interpreter.get_input_details()[0]
output_index = interpreter.get_output_details()[0]["index"]
_, height, width, _ = input_details["shape"]
capture = cv2.VideoCapture(sys.argv[1], cv2.CAP_FFMPEG)
began_s, num_frames, winners = time.perf_counter(), 0, []
while True:
    is_read, frame = capture.read()
    if not is_read:
        break
    small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    interpreter.set_tensor(input_details["index"], cv2.cvtColor(small, cv2.COLOR_BGR2RGB)[np.newaxis])
    interpreter.invoke()
    winners.append(int(interpreter.get_tensor(output_index).argmax()))
    num_frames += 1
print(f"{num_frames} frames, {(time.perf_counter() - began_s) / num_frames * 1000:.2f} ms a frame")
