"""Batch norm over two processes against plain batch norm over the whole batch in one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import distributed, nn

from kdbench.training.sync_bn import AllReduceBatchNorm, convert_sync_batchnorm_for_cpu

CASES: dict[str, dict[str, Any]] = {
    "equal": {"split": 3},
    "unequal": {"split": 1},
    "empty part": {"split": 0},
    "cumulative momentum": {"split": 2, "momentum": None},
    "no running statistics": {"split": 3, "track_running_stats": False},
    "not affine": {"split": 4, "affine": False},
    "double": {"split": 4, "dtype": torch.float64},
    "eval": {"split": 2, "eval": True},
    "fixed affine": {"split": 5, "frozen": True},
}


def build(case: dict[str, Any]) -> nn.Sequential:
    """A convolution and a batch norm with running statistics that already moved, the same in every process."""
    torch.manual_seed(0)
    options = {key: case[key] for key in ("momentum", "track_running_stats", "affine") if key in case}
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3, **options))
    for parameter in model[1].parameters():
        nn.init.normal_(parameter)
        parameter.requires_grad_(not case.get("frozen", False))
    model.train(not case.get("eval", False))
    return model.to(case.get("dtype", torch.float32))


def batches(case: dict[str, Any]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Two steps: inputs far from zero, hard on a variance computed as E[x^2] - E[x]^2, and output gradients."""
    generator = torch.Generator().manual_seed(1)
    draw = [torch.randn(2, *shape, generator=generator) for shape in ((6, 2, 5, 6), (6, 3, 3, 4))]
    dtype = case.get("dtype", torch.float32)
    return [((x * 3 + 20).to(dtype), grad.to(dtype)) for x, grad in zip(*draw, strict=True)]


def run(model: nn.Module, case: dict[str, Any], part: slice) -> dict[str, Any]:
    """Two training steps on a part of the batch; all that has to agree."""
    out: dict[str, Any] = {"outputs": [], "inputs": []}
    for x, grad in batches(case):
        x = x[part].clone().requires_grad_()
        y = model(x)
        y.backward(grad[part])
        out["outputs"].append(y.detach())
        out["inputs"].append(x.grad)
    out["parameters"] = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    out["state"] = model.state_dict()
    return out


def worker(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    results = {}
    for name, case in CASES.items():
        model = convert_sync_batchnorm_for_cpu(nn.SyncBatchNorm.convert_sync_batchnorm(build(case)))
        part = slice(None, case["split"]) if rank == 0 else slice(case["split"], None)
        results[name] = run(model, case, part)
    group = [distributed.new_group([0]), distributed.new_group([1])][rank]
    alone = convert_sync_batchnorm_for_cpu(nn.SyncBatchNorm(3, process_group=group))
    results["alone"] = alone(batches({})[0][0].expand(6, 2, 5, 6)[:, [0, 1, 0]]).detach()
    try:
        AllReduceBatchNorm(3)(torch.zeros(1 - rank, 3, 1, 1))
    except ValueError as error:
        results["single value"] = str(error)
    torch.save(results, Path(folder, f"{rank}.pt"))
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes got, for all cases."""
    folder = tmp_path_factory.mktemp("group")
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    torch.multiprocessing.spawn(worker, args=(str(folder),), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.parametrize("name", CASES)
def test_two_processes_equal_one(name: str, parts: list[dict[str, Any]]) -> None:
    whole = run(build(CASES[name]), CASES[name], slice(None))
    first, second = (part[name] for part in parts)
    tolerance = {"rtol": 1e-4, "atol": 2e-4} if name != "double" else {"rtol": 1e-10, "atol": 1e-10}
    for key in ("outputs", "inputs"):
        joined = [torch.cat(pair) for pair in zip(first[key], second[key], strict=True)]
        torch.testing.assert_close(joined, whole[key], **tolerance)
    summed = {key: first["parameters"][key] + second["parameters"][key] for key in first["parameters"]}
    torch.testing.assert_close(summed, whole["parameters"], **tolerance)
    # The convolution before it is not trained, so its state is the same; the norm's buffers have to become so.
    torch.testing.assert_close(dict(first["state"]), dict(whole["state"]), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(dict(second["state"]), dict(first["state"]), rtol=0, atol=0)


def test_a_group_of_one_is_plain_batch_norm(parts: list[dict[str, Any]]) -> None:
    x = batches({})[0][0][:, [0, 1, 0]]
    torch.testing.assert_close(parts[0]["alone"], nn.BatchNorm2d(3)(x).detach(), rtol=0, atol=0)


def test_a_single_value_in_the_whole_group_is_refused_on_every_process(parts: list[dict[str, Any]]) -> None:
    assert all("more than 1 value per channel" in part["single value"] for part in parts)


def test_without_a_group_it_is_plain_batch_norm() -> None:
    case = CASES["equal"]
    plain, own = build(case), convert_sync_batchnorm_for_cpu(nn.SyncBatchNorm.convert_sync_batchnorm(build(case)))
    torch.testing.assert_close(run(own, case, slice(None)), run(plain, case, slice(None)), rtol=0, atol=0)


def test_conversion_keeps_everything() -> None:
    shared = nn.SyncBatchNorm(4)
    model = nn.Sequential(
        shared, nn.Sequential(nn.ReLU(), shared), nn.SyncBatchNorm(4, affine=False), nn.BatchNorm2d(4)
    )
    shared.weight.requires_grad_(False)
    shared.eval()
    keys, parameters = list(model.state_dict()), list(model.parameters())
    converted = convert_sync_batchnorm_for_cpu(model)
    assert [type(m).__name__ for m in converted.modules()].count("AllReduceBatchNorm") == 2
    assert converted[0] is converted[1][1]
    assert type(converted[3]) is nn.BatchNorm2d
    assert not converted[0].training
    assert converted[2].training
    assert not converted[0].weight.requires_grad
    assert list(converted.state_dict()) == keys
    assert all(a is b for a, b in zip(converted.parameters(), parameters, strict=True))
    nn.BatchNorm2d(4).load_state_dict(convert_sync_batchnorm_for_cpu(nn.SyncBatchNorm(4)).state_dict())
