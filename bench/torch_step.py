"""The step of `guidance bench --full` in PyTorch, on the GPU if there is one: the notebook's own code path (hooks, two
student forwards, CKA through n x n centering matrices, Adam), and the same under torch.compile where it is there.

    python3 bench/torch_step.py --batch 256
"""

import argparse
import statistics
import time

import torch
import torchvision

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--batch", type=int, default=256)
parser.add_argument("--rounds", type=int, default=3)
options = parser.parse_args()

device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False
F = torch.nn.functional


def layer(inputs, outputs):
    nn = torch.nn
    return nn.Sequential(nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(), nn.Dropout(0.1))


class DeepFCN(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.initial_layer = layer(3 * 224 * 224, 2048)
        self.intermediate_layers = torch.nn.Sequential(*[layer(1024 if i else 2048, 1024) for i in range(47)])
        self.output_layer = torch.nn.Sequential(torch.nn.Linear(1024, 1000))

    def forward(self, x):
        return self.output_layer(self.intermediate_layers(self.initial_layer(x.flatten(1))))


class Features:
    """Outputs of the layers the notebook keeps, in the order of the calls, without the last."""

    def __init__(self, model):
        self.kept = []
        for module in model.modules():
            if type(module) in (torch.nn.Conv2d, torch.nn.Linear, torch.nn.AdaptiveAvgPool2d):
                module.register_forward_hook(lambda _module, _inputs, output: self.kept.append(output))

    def take(self):
        kept, self.kept = self.kept[:-1], []
        return kept


def centered(gram):
    n = gram.shape[0]
    h = torch.eye(n, device=gram.device) - torch.ones(n, n, device=gram.device) / n
    return h @ gram @ h


def cka(x, y):
    x, y = x.flatten(1), y.flatten(1)
    k, l = x @ x.T, y @ y.T
    hsic = lambda a, b: torch.sum(centered(a) * centered(b))
    return hsic(k, l) / (torch.sqrt(hsic(k, k)) * torch.sqrt(hsic(l, l)))


student, guide = DeepFCN().to(device), torchvision.models.resnet18().to(device)
student_features, guide_features = Features(student), Features(guide)
adam = torch.optim.Adam(student.parameters(), lr=1e-4)
images = torch.randn(options.batch, 3, 224, 224, device=device)
labels = torch.arange(options.batch, device=device) % 1000


def loss_of(images, labels):
    entropy = F.cross_entropy(student(images), labels)
    student_features.take()
    with torch.no_grad():
        guide(images)
    targets = guide_features.take()
    student(images)
    layers = student_features.take()
    step = (len(layers) - 1) / (len(targets) - 1)
    paired = {round(i * step): target for i, target in enumerate(targets)}
    return entropy + sum(1 - cka(layers[i], target) for i, target in paired.items())


def seconds_a_step(loss_of):
    def step():
        adam.zero_grad()
        loss = loss_of(images, labels)
        loss.backward()
        adam.step()
        return loss.item()  # waits for the device

    step()
    times = []
    for _ in range(options.rounds):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


name = torch.cuda.get_device_name() if device.type == "cuda" else "the CPU"
print(f"PyTorch {torch.__version__} on {name}, batch {options.batch}")
plain = seconds_a_step(loss_of)
print(f"the notebook's code: {plain:.3f} s a step, {options.batch / plain:.1f} images/s")
if hasattr(torch, "compile"):
    try:
        compiled = seconds_a_step(torch.compile(loss_of))
        print(f"torch.compile: {compiled:.3f} s a step, {options.batch / compiled:.1f} images/s")
    except Exception as error:  # the compiler needs a toolchain of its own
        print(f"torch.compile: not measured, {type(error).__name__}: {str(error).splitlines()[0]}")
else:
    print("torch.compile: not measured, this PyTorch has none")
if device.type == "cuda":
    print(f"peak memory {torch.cuda.max_memory_allocated() / 1e9:.2f} GB")
