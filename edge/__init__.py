"""The device: camera to bin decision. The floor the other three packages stand on."""

import os

# All are read when the library is loaded, which is after this. OpenCV would decode up to 1000 megapixels, 3 GB: it is
# told here what `edge.preprocess.load_picture` takes at most; what it has to say of a damaged picture is said by those
# who asked for the picture. OpenBLAS gives each small matrix to all cores, and on busy ones they wait for each other: a
# head for 100 examples took 8 to 17 s beside other programs, on one core 0.1 s.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", "100000000")
os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
