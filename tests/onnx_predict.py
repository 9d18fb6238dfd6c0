#!/usr/bin/env python3
"""What another runtime computes from an ONNX file of evenkeel's and pictures of the network's size, with the file alone.

    python3 tests/onnx_predict.py [--onnxruntime] FILE.onnx PICTURE...

A line of JSON for each picture: its classes with their probabilities. By OpenCV, or by ONNX Runtime. Exits with 77 where
that is missing; with 1 then too where the environment has CI.
"""
import json
import os
import sys

try:
    import cv2
    import numpy as np
    if "--onnxruntime" in sys.argv:
        import onnxruntime
except ImportError as error:
    print("skipped:", error)
    sys.exit(1 if os.environ.get("CI") else 77)


def fields(message):
    """(number, contents) of a protobuf message's fields that are texts, bytes or messages."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte, at = message[at], at + 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        value = varint()
        if key & 7 == 2:
            yield key >> 3, message[at : at + value]
            at += value
        else:
            assert key & 7 == 0, key


def main():
    file, *pictures = [word for word in sys.argv[1:] if word != "--onnxruntime"]
    with open(file, "rb") as f:  # field 14 of a ModelProto: metadata, pairs of key (1) and value (2)
        pairs = [dict(fields(contents)) for number, contents in fields(f.read()) if number == 14]
    metadata = {pair[1].decode(): pair[2].decode() for pair in pairs}
    mean, deviation = (np.array(metadata[key].split(","), np.float32) for key in ("mean", "deviation"))
    for picture in pictures:
        pixels = cv2.imread(picture, cv2.IMREAD_GRAYSCALE if len(mean) == 1 else cv2.IMREAD_COLOR)
        pixels = pixels.reshape(*pixels.shape[:2], -1)[:, :, ::-1]  # OpenCV's order of colours is blue, green, red
        x = np.ascontiguousarray(((pixels.astype(np.float32) - mean) / deviation).transpose(2, 0, 1)[None])
        if "--onnxruntime" in sys.argv:
            logits = onnxruntime.InferenceSession(file).run(["logits"], {"input": x})[0][0]
        else:
            network = cv2.dnn.readNetFromONNX(file)
            network.setInput(x)
            logits = network.forward()[0]
        p = np.exp(logits.astype(np.float64) - logits.max())
        print(json.dumps(dict(zip(json.loads(metadata["class_names"]), p / p.sum()))))


main()
