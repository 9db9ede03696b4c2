"""What scripts/quantization_accuracy.sh needs numpy and JSON for.

draw DESCRIPTION COUNT SEED OUT.npy   inputs drawn uniformly from the range of an int8 network's input;
                                      DESCRIPTION is what `lockstep inspect --json` says of the network
table [NETWORK OFFICIAL OURS]...      a Markdown table of what `lockstep compare --json` says of both
                                      int8 files; exits with 1 where ours is worse than the official one
"""

import json
import sys

import numpy


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def draw(description_path, count, seed, output_path):
    description = read_json(description_path)
    tensor = description["tensors"][description["inputs"][0]]
    scale, zero_point = tensor["scales"][0], tensor["zero_points"][0]
    values = numpy.random.default_rng(int(seed)).uniform(
        scale * (-128 - zero_point), scale * (127 - zero_point), [int(count), *tensor["shape"][1:]]
    )
    numpy.save(output_path, values.astype(numpy.float32))


class Accuracy:
    """How far an int8 file is from the float network."""

    def __init__(self, comparison):
        output, layers = comparison["outputs"][0], comparison["layers"]
        # Behind a SOFTMAX hardly any error is left, or nothing else: its input tells what was lost.
        has_classes = layers[-1]["operator"] == "SOFTMAX"
        self.sqnr = (layers[-2] if has_classes else output)["sqnr"]
        self.samples = comparison["samples"]
        self.agreeing = round(output["top1"] * self.samples) if has_classes else None
        self.bytes = comparison["actual"]["bytes"]

    def is_worse_than(self, other):
        return self.sqnr < other.sqnr or (self.agreeing or 0) < (other.agreeing or 0)


def table(arguments):
    print("| network | test inputs | SQNR official | ours | same class official | ours | bytes official | ours |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    worse = []
    for network, official_path, ours_path in zip(*[iter(arguments)] * 3):
        official, ours = Accuracy(read_json(official_path)), Accuracy(read_json(ours_path))
        cells = [network, ours.samples]
        for accuracy in official, ours:
            cells.append(f"{accuracy.sqnr:.1f} dB")
        for accuracy in official, ours:
            cells.append("" if accuracy.agreeing is None else accuracy.agreeing)
        for accuracy in official, ours:
            cells.append(f"{accuracy.bytes:,}")
        print("| " + " | ".join(map(str, cells)) + " |")
        if ours.is_worse_than(official):
            worse.append(network)
    if worse:
        sys.exit("Worse than the official file: " + ", ".join(worse))


command, *arguments = sys.argv[1:]
draw(*arguments) if command == "draw" else table(arguments)
