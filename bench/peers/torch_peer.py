"""PyTorch at our workloads, on one thread (its best on a small machine): torch_peer.py <workload>"""

import json
import math
import sys
import time

import torch

torch.set_num_threads(1)
F = torch.nn.functional


def fill(shape, salt):
    """The numbers of data.mjs."""
    i = torch.arange(math.prod(shape), dtype=torch.float64) + salt * 131
    return (torch.remainder(i * 7919, 10007) / 10007 - 0.5).float().reshape(shape)


def features(d, salt, period):
    return fill((64, d), salt) * (1 + torch.arange(64) % period)[:, None]


def timed(run):
    for _ in range(2):
        run()
    times, end = [], time.perf_counter() + 1
    while len(times) < 5 or (time.perf_counter() < end and len(times) < 50):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return times


def magnitude(x):
    return x.double().abs().mean().item()


def matmul():
    timings = []
    for M, N, K, form in [(n, n, n, f) for n in (512, 1024) for f in ("NN", "NT", "TN")] + [(256, 1024, 2048, "NN")]:
        a = fill((K, M) if form[0] == "T" else (M, K), 0)
        b = fill((N, K) if form[1] == "T" else (K, N), 1)
        a = a.T if form[0] == "T" else a
        b = b.T if form[1] == "T" else b
        name = f"matmul {M if M == N == K else f'{M}x{K}x{N}'} {form}"
        timings.append(
            {"name": name, "times": timed(lambda: a @ b), "check": magnitude(a @ b), "flops": 2 * M * N * K}
        )
    return timings


def convolution():
    x, weight = fill((8, 64, 56, 56), 0), fill((64, 64, 3, 3), 1)

    def run():
        return F.conv2d(x, weight, padding=1)

    flops = 2 * 8 * 64 * 64 * 56 * 56 * 9
    return [{"name": "conv 3x3 64>64 @56", "times": timed(run), "check": magnitude(run()), "flops": flops}]


def normalization():
    x, direction = (fill((8, 64, 56, 56), salt) for salt in (0, 3))
    weight, bias = (fill((64,), salt) for salt in (1, 2))
    leaves = [leaf.requires_grad_() for leaf in (x, weight, bias)]

    def run():
        output = F.batch_norm(x, None, None, weight, bias, training=True, eps=1e-5)
        return [output, *torch.autograd.grad((output * direction).sum(), leaves)]

    check = sum(magnitude(each.detach()) for each in run())
    return [{"name": "batch norm 64 @56, value and gradient", "times": timed(run), "check": check}]


def cka(x, y):
    def gram(features):
        centered = features - features.mean(0)
        return centered @ centered.T / (centered * centered).sum()

    k, l = gram(x), gram(y)
    return (k * l).sum() / ((k * k).sum().sqrt() * (l * l).sum().sqrt())


def alignment():
    timings = []
    for d in (4096, 65536):
        x, y = features(d, 0, 7).requires_grad_(), features(d, 1, 5)

        def run():
            value = cka(x, y)
            return value, torch.autograd.grad(value, x)[0]

        value, gradient = run()
        check = magnitude(value.detach()) + d * magnitude(gradient)
        name = f"CKA 64x{d}, value and gradient"
        timings.append({"name": name, "times": timed(run), "check": check, "flops": 2 * 64 * 64 * d * 3})
    return timings


def fcn48():
    images, labels = fill((64, 3072), 1), torch.arange(64) % 10
    layers = []
    for i in range(48):
        layers += [torch.nn.Linear(256 if i else 3072, 256), torch.nn.BatchNorm1d(256), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(256, 10))
    with torch.no_grad():
        for i, linear in enumerate(each for each in model if isinstance(each, torch.nn.Linear)):
            outputs, inputs = linear.weight.shape
            linear.weight.copy_(fill((outputs, inputs), i + 10) * 4 / math.sqrt(inputs))
            linear.bias.zero_()
    adam = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step():
        loss = F.cross_entropy(model(images), labels)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    check = step()
    return [{"name": "fcn48 step", "times": timed(step), "check": check}]


workload = sys.argv[1]
print("REPORT " + json.dumps({"engine": f"PyTorch {torch.__version__}", "timings": globals()[workload]()}))
