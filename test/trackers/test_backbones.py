"""Published backbones become ours: every layout, what it expects to see, and what is refused."""

from __future__ import annotations

import json
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tensorflow_graph import Graph, Wrapped
from torch import Tensor, nn
from torch.nn import functional

from stm_tracker_ros.cli.main import main
from stm_tracker_ros.core.errors import CheckpointError, ConfigError
from stm_tracker_ros.parts.backbones import inception_v3, mobilenet_v2, resnet, resnet_files
from stm_tracker_ros.trackers import backbones

pytestmark = pytest.mark.torch

State = dict[str, Tensor]


def random_like(shapes: State, seed: int = 0) -> State:
    """Random values of those names and shapes; variances are positive."""
    torch.manual_seed(seed)
    state = {name: torch.rand(tuple(value.shape)) + 0.5 for name, value in shapes.items()}
    return {n: torch.zeros((), dtype=torch.int64) if n.endswith("tracked") else t for n, t in state.items()}


@pytest.fixture(autouse=True)
def small_resnets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few narrow blocks: the names stay what they are."""
    monkeypatch.setattr(resnet_files, "BLOCKS", dict.fromkeys(resnet_files.BLOCKS, (2, 1, 1, 1)))
    monkeypatch.setattr(resnet_files, "WIDTHS", (64, 4, 8, 8))


def saved(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


def converted(arch: str, source: Path, folder: Path) -> backbones.Backbone:
    """What the command makes of the file."""
    target = folder / "ours.safetensors"
    assert main(["convert", f"backbone.{arch}", str(source), str(target)]) == 0
    return backbones.load(target, arch)


def scripted(module: nn.Module, path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls TorchScript old
        torch.jit.script(module).save(str(path))


def test_the_tensorflow_graph_gives_the_same_features(tmp_path: Path) -> None:
    torch.manual_seed(3)
    graph = Graph().eval().requires_grad_(False)
    scripted(Wrapped(graph), tmp_path / "default_1.pt")
    found = converted("inception_v3", tmp_path / "default_1.pt", tmp_path)
    assert (found.layout, found.input) == ("tensorflow", "rgb_half")
    backbone = inception_v3.InceptionV3(with_label_map=True).eval().requires_grad_(False)
    before = backbone.proj_fg_bg_label_map.weight.clone()  # type: ignore[union-attr]
    backbones.fill(backbone, found, own=("proj_fg_bg_label_map.",))
    image = torch.rand(1, 3, 97, 97)
    expected = graph.features(image)
    assert expected.std() > 0.01
    torch.testing.assert_close(backbone(image), expected, rtol=1e-4, atol=1e-4)
    assert torch.equal(backbone.proj_fg_bg_label_map.weight, before)  # type: ignore[union-attr]


def test_torchvisions_inception_loads_by_name(tmp_path: Path) -> None:
    ours = random_like(dict(inception_v3.InceptionV3().state_dict()))
    more = {"AuxLogits.conv0.conv.weight": torch.ones(2), "Mixed_7a.x": torch.ones(2), "fc.bias": torch.ones(3)}
    found = converted("inception_v3", saved(ours | more, tmp_path / "inception_v3_google-0cc3c7bd.pth"), tmp_path)
    assert (found.layout, found.input) == ("torchvision", "rgb_half")
    assert found.tensors.keys() == ours.keys()
    assert all(torch.equal(found.tensors[name], ours[name]) for name in ours)
    assert "inception_v3_google-0cc3c7bd.pth, sha256" in found.provenance


def test_mobilenet_is_folded(tmp_path: Path) -> None:
    layers: State = {}
    inputs = 32
    layers |= conv_and_norm("features.0.0", "features.0.1", (32, 3, 3, 3))
    index = 1
    for expansion, outputs, repeats, _ in mobilenet_v2.STAGES:
        for _ in range(repeats):
            name, hidden = f"features.{index}.conv", inputs * expansion
            shapes = [(hidden, inputs, 1, 1)] * (expansion > 1) + [(hidden, 1, 3, 3)]
            for place, shape in enumerate(shapes):
                layers |= conv_and_norm(f"{name}.{place}.0", f"{name}.{place}.1", shape)
            last = len(shapes)
            layers |= conv_and_norm(f"{name}.{last}", f"{name}.{last + 1}", (outputs, hidden, 1, 1))
            inputs, index = outputs, index + 1
    source = saved(random_like(layers), tmp_path / "mobilenet_v2-b0353104.pth")
    found = converted("mobilenet_v2", source, tmp_path)
    assert (found.layout, found.input) == ("torchvision", "rgb_imagenet")
    network = mobilenet_v2.MobileNetV2()
    backbones.fill(network, found)
    assert torch.equal(network.state_dict()["blocks.3.project.bias"], found.tensors["blocks.3.project.bias"])


def conv_and_norm(conv: str, norm: str, shape: tuple[int, ...]) -> State:
    parts = ("weight", "bias", "running_mean", "running_var")
    return {f"{conv}.weight": torch.empty(shape)} | {f"{norm}.{part}": torch.empty(shape[0]) for part in parts}


@pytest.mark.parametrize(("arch", "stages"), [("resnet18", 3), ("resnet18", 4), ("resnet50", 4)])
def test_torchvisions_resnets_load_by_name(arch: str, stages: int, tmp_path: Path) -> None:
    ours = random_like(resnet_files.expected(arch, "torchvision", stages))
    source = saved(ours | {"fc.weight": torch.ones(2, 2), "fc.bias": torch.ones(2)}, tmp_path / "resnet.pth")
    found = converted(arch, source, tmp_path)
    assert (found.layout, found.input) == ("torchvision", "rgb_imagenet")
    assert found.tensors.keys() == ours.keys()
    assert "layer2.0.downsample.0.weight" in ours
    assert ("layer1.0.downsample.0.weight" in ours) == (arch == "resnet50")


def test_half_precision_safetensors_become_float32(tmp_path: Path) -> None:
    ours = random_like(resnet_files.expected("resnet18", "torchvision", 3))
    save_file({n: t if n.endswith("tracked") else t.half() for n, t in ours.items()}, tmp_path / "r18.safetensors")
    found = converted("resnet18", tmp_path / "r18.safetensors", tmp_path)
    assert found.tensors["conv1.weight"].dtype == torch.float32
    assert torch.equal(found.tensors["conv1.weight"], ours["conv1.weight"].half().float())


def test_a_backbone_trained_for_tracking_is_told_apart(tmp_path: Path) -> None:
    ours = random_like(resnet_files.expected("resnet50_dilated", "siamrpn", 3))
    assert tuple(ours["layer2.0.downsample.0.weight"].shape[2:]) == (3, 3)
    source = saved(with_prefix(ours) | {"mask_head.weight": torch.ones(3)}, tmp_path / "model.pth")
    found = converted("resnet50_dilated", source, tmp_path)
    assert (found.layout, found.input) == ("siamrpn", "bgr_raw")
    assert found.tensors.keys() == ours.keys()
    with pytest.raises(CheckpointError, match=r"no resnet50 of.*begin with 'backbone\.'.*which have resnet50_dilated"):
        backbones.published(source, "resnet50")


def test_only_a_tracker_has_the_dilated_backbone(tmp_path: Path) -> None:
    """By its names a plain ResNet would fit, if it were not for the projections; its input is another one."""
    plain = random_like(resnet_files.expected("resnet50", "torchvision", 4))
    with pytest.raises(CheckpointError, match=r"no resnet50_dilated of.*no name begins with 'backbone\.'"):
        backbones.published(saved(plain, tmp_path / "a.pth"), "resnet50_dilated")
    with pytest.raises(
        CheckpointError, match=r"'layer2.0.downsample.0.weight' has shape .* 1, 1\); needed is .* 3, 3\)"
    ):
        backbones.published(saved(with_prefix(plain), tmp_path / "b.pth"), "resnet50_dilated")


def test_a_tracker_fills_the_dilated_network_whatever_stages_it_has(tmp_path: Path) -> None:
    network = resnet.DilatedResNet50(4)
    ours = random_like(dict(network.state_dict()))
    more = {"layer4.0.conv1.weight": torch.ones(2)}  # pysot's trackers on layers 2 to 4 have it
    backbones.fill(network, backbones.Backbone("resnet50_dilated", "siamrpn", "bgr_raw", "", ours | more))
    assert all(torch.equal(value, ours[name]) for name, value in network.state_dict().items())


def with_prefix(state: State) -> State:
    """As trackers have their backbone."""
    return {f"backbone.{name}": value for name, value in state.items()}


def keras_folder(state: State, folder: Path) -> Path:
    """A tfjs layers model in two shards."""
    folder.mkdir()
    content = b"".join(value.numpy().tobytes() for value in state.values())
    weights = [{"name": n, "shape": list(v.shape), "dtype": "float32"} for n, v in state.items()]
    names = ["group1-shard1of2.bin", "group1-shard2of2.bin"]
    (folder / names[0]).write_bytes(content[:1001])
    (folder / names[1]).write_bytes(content[1001:])
    (folder / "model.json").write_text(json.dumps({"weightsManifest": [{"paths": names, "weights": weights}]}))
    return folder


def keras_state() -> State:
    """Random weights by Keras's names: those of torchvision's blocks in other words."""
    state: State = {}
    branches = {"conv1": "2a", "conv2": "2b", "conv3": "2c", "downsample.0": "1"}
    torch.manual_seed(1)
    for name, value in resnet_files.expected("resnet50", "caffe", 4).items():
        if value.dim() != 4:
            continue
        conv, norm = "conv1", "bn_conv1"
        if name != "conv1.weight":
            layer, block, branch = name.removesuffix(".weight").split(".", 2)
            place = f"{int(layer[-1]) + 1}{'abcdef'[int(block)]}_branch{branches[branch]}"
            conv, norm = f"res{place}", f"bn{place}"
        out, into, height, width = value.shape
        state |= {f"{conv}/kernel": torch.randn(height, width, into, out), f"{conv}/bias": torch.randn(out)}
        state |= {f"{norm}/{part}": torch.rand(out) + 0.1 for part in ("gamma", "beta", "moving_mean")}
        state[f"{norm}/moving_variance"] = torch.rand(out) * 0.01
    return state | {"fc1000/kernel": torch.ones(4, 10)}


def test_kerass_resnet_gives_the_same_numbers(tmp_path: Path) -> None:
    """A bias in front of a norm of eps 1e-3 comes out of torch's norm of eps 1e-5 all the same."""
    theirs = keras_state()
    found = converted("resnet50", keras_folder(theirs, tmp_path / "ResNet50"), tmp_path)
    assert (found.layout, found.input) == ("caffe", "bgr_caffe")
    assert "model.json" in found.provenance
    pairs = {
        ("conv1", "bn1"): ("conv1", "bn_conv1"),
        ("layer1.1.conv3", "layer1.1.bn3"): ("res2b_branch2c", "bn2b_branch2c"),
        ("layer3.0.downsample.0", "layer3.0.downsample.1"): ("res4a_branch1", "bn4a_branch1"),
    }
    for (conv, norm), (their_conv, their_norm) in pairs.items():
        kernel = theirs[f"{their_conv}/kernel"].permute(3, 2, 0, 1)
        x = torch.randn(1, kernel.shape[1], 9, 9)
        raw = functional.conv2d(x, kernel, theirs[f"{their_conv}/bias"])
        gamma, beta, mean, variance = (
            theirs[f"{their_norm}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        expected = functional.batch_norm(raw, mean, variance, gamma, beta, eps=1e-3)
        ours = found.tensors
        layer = nn.BatchNorm2d(len(beta)).eval().requires_grad_(False)
        layer.load_state_dict({part: ours[f"{norm}.{part}"] for part in layer.state_dict()})
        answer = layer(functional.conv2d(x, ours[f"{conv}.weight"]))
        torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-3)


def test_a_missing_shard_or_name_of_keras_is_refused(tmp_path: Path) -> None:
    state = keras_state()
    del state["bn3a_branch2b/moving_mean"]
    with pytest.raises(CheckpointError, match=r"'bn3a_branch2b/moving_mean' is missing"):
        backbones.published(keras_folder(state, tmp_path / "a"), "resnet50")
    folder = keras_folder(keras_state(), tmp_path / "b")
    (folder / "group1-shard2of2.bin").unlink()
    with pytest.raises(CheckpointError, match=r"shard2of2.*model\.json with all its shards"):
        backbones.published(folder, "resnet50")


def test_wrong_shapes_and_names_are_refused(tmp_path: Path) -> None:
    ours = random_like(resnet_files.expected("resnet50", "torchvision", 4))
    bad = ours | {"layer2.0.conv2.weight": torch.ones(4, 4, 1, 1)}
    with pytest.raises(CheckpointError, match=r"'layer2.0.conv2.weight' has shape \(4, 4, 1, 1\); needed is \(4, 4, 3"):
        backbones.published(saved(bad, tmp_path / "a.pth"), "resnet50")
    del bad["layer2.0.conv2.weight"]
    with pytest.raises(CheckpointError, match="'layer2.0.conv2.weight' is missing"):
        backbones.published(saved(bad, tmp_path / "b.pth"), "resnet50")
    with pytest.raises(CheckpointError, match="'neck.weight' is not known"):
        backbones.published(saved(ours | {"neck.weight": torch.ones(1)}, tmp_path / "c.pth"), "resnet50")
    with pytest.raises(CheckpointError, match="no resnet18.*'layer1.0.conv1.weight' has shape"):
        backbones.published(saved(ours, tmp_path / "d.pth"), "resnet18")
    with pytest.raises(CheckpointError, match=r"features\.0\.0\.weight.*torchvision's mobilenet_v2"):
        backbones.published(tmp_path / "d.pth", "mobilenet_v2")


def test_only_converted_files_are_loaded(tmp_path: Path) -> None:
    ours = random_like(resnet_files.expected("resnet18", "torchvision", 3))
    converted("resnet18", saved(ours, tmp_path / "r18.pth"), tmp_path)
    with pytest.raises(CheckpointError, match="is a resnet18; needed is a resnet50"):
        backbones.load(tmp_path / "ours.safetensors", "resnet50")
    save_file(ours, tmp_path / "plain.safetensors")
    with pytest.raises(CheckpointError, match=r"make one by `stm_tracker convert backbone\.resnet18`"):
        backbones.load(tmp_path / "plain.safetensors", "resnet18")
    with pytest.raises(CheckpointError, match="cannot be read"):
        backbones.load(tmp_path / "r18.pth", "resnet18")


def test_a_network_takes_what_it_has_and_refuses_what_does_not_fit(tmp_path: Path) -> None:
    ours = random_like(resnet_files.expected("resnet18", "torchvision", 4))
    found = converted("resnet18", saved(ours, tmp_path / "r18.pth"), tmp_path)
    stem = nn.Sequential()
    stem.add_module("conv1", nn.Conv2d(3, 64, 7, bias=False))
    stem.add_module("bn1", nn.BatchNorm2d(64))
    backbones.fill(stem, found)
    assert torch.equal(stem.state_dict()["bn1.running_var"], ours["bn1.running_var"])
    stem.add_module("layer9", nn.Linear(2, 2))
    with pytest.raises(CheckpointError, match=r"resnet18 \(torchvision\) does not fit.*'layer9.weight' is missing"):
        backbones.fill(stem, found)


def test_a_fourth_stage_stays_random_only_where_that_is_said() -> None:
    network = resnet.ResNet18((16, 32))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    whole = backbones.Backbone("resnet18", "torchvision", "rgb_imagenet", "", random_like(before))
    cut = whole._replace(tensors={n: t for n, t in whole.tensors.items() if not n.startswith("layer4.")})
    with pytest.raises(CheckpointError, match=r"does not fit the network: 'layer4.0.conv1.weight' is missing"):
        backbones.fill(network, cut)
    backbones.fill(network, cut, own=("layer4.",))
    after = network.state_dict()
    kept = [name for name, value in before.items() if torch.equal(after[name], value) and value.dim()]
    assert kept == [name for name in before if name.startswith("layer4.") and before[name].dim()]
    with pytest.raises(CheckpointError, match=r"has 'layer4.0.conv1.weight'; do not let the network keep its own"):
        backbones.fill(network, whole, own=("layer4.",))
    backbones.fill(network, whole)
    assert torch.equal(network.state_dict()["layer4.1.bn2.bias"], whole.tensors["layer4.1.bn2.bias"])


def archive(path: Path, pickled: bytes) -> Path:
    """A TorchScript archive with that description of its modules."""
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("net/data.pkl", pickled)
        file.writestr("net/constants.pkl", b"\x80\x02).")
    return path


def test_programs_are_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    call = b"cbuiltins\nopen\n(V" + str(trace).encode() + b"\nVw\ntR."
    with pytest.raises(CheckpointError, match=r"would call builtins\.open, which is not done"):
        backbones.published(archive(tmp_path / "bad.pt", call), "inception_v3")
    assert not trace.exists()
    with pytest.raises(CheckpointError, match=r"bad\.pt cannot be read as TorchScript"):
        backbones.published(archive(tmp_path / "bad.pt", b"\x80"), "inception_v3")


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    scripted(Wrapped(nn.Linear(300, 300)), tmp_path / "whole.pt")
    whole = bytearray((tmp_path / "whole.pt").read_bytes())
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"cut\.pt"):
        backbones.published(tmp_path / "cut.pt", "inception_v3")
    with pytest.raises(CheckpointError, match=r"'Conv2d_1a_3x3.conv.weight' is missing"):
        backbones.published(tmp_path / "whole.pt", "inception_v3")


def test_unknown_backbones_and_targets_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="did you mean 'resnet50'"):
        backbones.published(tmp_path, "resnet51")
    assert main(["convert", "backbone.vgg", str(tmp_path), str(tmp_path / "x")]) == 2
    assert main(["convert", "stmtrac", str(tmp_path), str(tmp_path / "x")]) == 2
    assert "did you mean 'stmtrack'" in capsys.readouterr().err
    assert main(["convert", "backbone.resnet50", str(tmp_path / "none.pth"), str(tmp_path / "x")]) == 2
    assert "none.pth does not exist" in capsys.readouterr().err
    assert main(["convert", "backbone.resnet50", str(tmp_path / "none.pth"), str(tmp_path / "no" / "x")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert main(["convert", "backbone.resnet50", str(tmp_path / "none.pth"), str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_numbers_that_are_none_are_refused(tmp_path: Path) -> None:
    ours = random_like(resnet_files.expected("resnet18", "torchvision", 3))
    bad = ours | {"bn1.weight": torch.tensor(np.full(64, np.nan, np.float32))}
    with pytest.raises(CheckpointError, match="'bn1.weight' holds numbers that are not finite"):
        backbones.published(saved(bad, tmp_path / "a.pth"), "resnet18")
    with pytest.raises(CheckpointError, match="'epoch' is a int"):
        backbones.published(saved(ours | {"epoch": 3}, tmp_path / "b.pth"), "resnet18")
