"""PyTorch's SGD and schedules as numbers: python3 make_optim.py > optim.json"""
import json
import torch

def sgd(steps, **options):
    w = torch.nn.Parameter(torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64))
    optimizer = torch.optim.SGD([w], **options)
    path = []
    for step in range(steps):
        optimizer.zero_grad()
        loss = ((w ** 2) * torch.tensor([0.5, 1.0, 2.0, 0.1], dtype=torch.float64)).sum() + torch.sin(w + step).sum()
        loss.backward()
        optimizer.step()
        path.append(w.detach().tolist())
    return path

def schedule(make, steps):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.2)
    scheduler = make(optimizer)
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates

lr = torch.optim.lr_scheduler
print(json.dumps({
    "sgd": [
        {"options": {"learningRate": 0.1}, "path": sgd(5, lr=0.1)},
        {"options": {"learningRate": 0.1, "momentum": 0.9}, "path": sgd(5, lr=0.1, momentum=0.9)},
        {"options": {"learningRate": 0.05, "momentum": 0.9, "nesterov": True, "weightDecay": 0.01},
         "path": sgd(5, lr=0.05, momentum=0.9, nesterov=True, weight_decay=0.01)},
        {"options": {"learningRate": 0.05, "momentum": 0.8, "dampening": 0.3, "weightDecay": 0.1},
         "path": sgd(5, lr=0.05, momentum=0.8, dampening=0.3, weight_decay=0.1)},
    ],
    "oneCycle": schedule(lambda o: lr.OneCycleLR(o, max_lr=0.2, total_steps=20), 20),
    "cosine": schedule(lambda o: lr.CosineAnnealingLR(o, T_max=10), 10),
    "stepDecay": schedule(lambda o: lr.StepLR(o, step_size=3, gamma=0.5), 10),
}, indent=1))
